-- Take a waiting job out of its queue, end one that waits for an answer, or ask a running one to stop.
--
-- Guarantee: a job that waits never begins; one that runs finds the mark at its next checkpoint.
-- Races: against a worker that claims the job, cancelling finds it running; against the job's end, it changes nothing.
--
-- KEYS: job, queue, all waiting jobs, open question of the chat, all open questions, all jobs that ended
-- Argument: id, member (of the open questions), ttl_s, now_s, fields_of_sent (see quotas.lua)
-- Answer: the state that the job was in; nil if the job is unknown
-- Needs: quotas.lua, credits.lua, drafts.lua
local job, queue, waiting, open_question, questions, ended = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local state = redis.call('HGET', job, 'state')
if not state then return nil end
if state == 'asking' then
  redis.call('DEL', open_question)
  redis.call('ZREM', questions, args.member)
  redis.call('HDEL', job, 'question')
end
if state == 'asking' or (state == 'queued' and redis.call('LREM', queue, 1, args.id) == 1) then
  redis.call('HSET', job, 'state', 'cancelled')
  redis.call('ZREM', waiting, job)
  refund_charge(job, 'cancelled', args.fields_of_sent)
  release_credits(job)
  forget_drafts(job)
  redis.call('EXPIRE', job, args.ttl_s)
  redis.call('ZADD', ended, args.now_s, job)
  return state
end
if state == 'queued' or state == 'running' then
  redis.call('HSET', job, 'cancel_requested', 1)
  return 'running'
end
return state
