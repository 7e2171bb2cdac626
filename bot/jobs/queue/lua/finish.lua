-- End a job, and free its queue for the next one.
--
-- Guarantee: a job ends once, with its charge kept or refunded; the queue is freed only if this job is the one that runs.
-- Races: an earlier attempt loses against a later one.
--
-- KEYS: job, queue, running job of the queue, all started jobs, their last checkpoints, jobs given up,
--   open question of the chat, all jobs that ended
-- Argument: attempt, id, state, ttl_s, now_s (only if the job is kept long), fields_of_sent (see quotas.lua), given_up_ttl_s, given_up_kept,
--   given_up (an entry, only if the job was given up), progress (field, value; only if it ran)
-- Answer: how many jobs wait, or -1 for an earlier attempt
-- Needs: quotas.lua, credits.lua, drafts.lua
local job, queue, running, started, last_saved, given_up, open_question, ended = unpack(KEYS)
local args = cjson.decode(ARGV[1])

if tonumber(redis.call('HGET', job, 'attempt')) ~= args.attempt then return -1 end
redis.call('HSET', job, 'state', args.state)
if args.progress then redis.call('HSET', job, args.progress.field, args.progress.value) end
refund_charge(job, args.state, args.fields_of_sent)
release_credits(job)
forget_drafts(job)
redis.call('EXPIRE', job, args.ttl_s)
if args.now_s then redis.call('ZADD', ended, args.now_s, job) end
local was_asking = redis.call('HDEL', job, 'question') == 1
if was_asking then redis.call('DEL', open_question) end
redis.call('ZREM', started, job)
redis.call('ZREM', last_saved, job)
if args.given_up and redis.call('HSETNX', job, 'given_up', 1) == 1 then
  redis.call('LPUSH', given_up, args.given_up)
  redis.call('LTRIM', given_up, 0, args.given_up_kept - 1)
  redis.call('EXPIRE', given_up, args.given_up_ttl_s)
end
-- The client sends a command again whose answer was lost: by then the next job may be running.
if redis.call('HGET', running, 'job') == args.id then redis.call('DEL', running) end
return redis.call('LLEN', queue)
