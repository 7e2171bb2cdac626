-- Functions for requests that wait for the answer to the agent's question.

-- Return whether a job's request goes to the agent, which would take it for the answer.
-- Files without words, exports and the like do not.
local function goes_to_agent(job)
  local is_edit, part_count, has_prompt = unpack(redis.call('HMGET', job, 'is_edit', 'part_count', 'has_prompt'))
  return is_edit and (not part_count or has_prompt)
end
