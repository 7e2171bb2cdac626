-- Functions for requests that wait for the answer to the agent's question.

-- Return whether a job's request goes to the agent, which would take it for the answer.
-- Files without words, exports, the answer itself and the like do not.
local function goes_to_agent(job)
  local fields = redis.call('HMGET', job, 'is_edit', 'part_count', 'has_prompt', 'is_answer')
  local is_edit, part_count, has_prompt, is_answer = unpack(fields)
  return is_edit and not is_answer and (not part_count or has_prompt)
end
