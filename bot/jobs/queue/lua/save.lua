-- Save checkpoints of a running job.
--
-- Guarantee: only the latest attempt saves, and it hears at once if the job was cancelled.
-- Races: an earlier attempt loses against a later one, whatever it has done meanwhile.
--
-- KEYS: job, last checkpoints of all started jobs
-- Argument: attempt, fields (names and values in turns), now_s
-- Answer: a SaveOutcome
local job, last_saved = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1])

if tonumber(redis.call('HGET', job, 'attempt')) ~= args.attempt then return 0 end
redis.call('HSET', job, unpack(args.fields))
redis.call('ZADD', last_saved, 'XX', args.now_s, job)
if redis.call('HEXISTS', job, 'cancel_requested') == 1 then return 2 end
return 1
