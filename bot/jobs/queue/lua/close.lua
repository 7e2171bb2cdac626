-- Let no more parts join a job.
--
-- Guarantee: a job is closed only at the version that the caller has seen, and by its latest attempt.
-- Races: against a part that joins, closing loses: the caller loads the job again.
--
-- KEYS: job
-- Argument: attempt, version
-- Answer: a CloseOutcome
local job = KEYS[1]
local args = cjson.decode(ARGV[1])

local attempt, version = unpack(redis.call('HMGET', job, 'attempt', 'version'))
if tonumber(attempt) ~= args.attempt then return 0 end
if tonumber(version or 0) ~= args.version then return 2 end
redis.call('HSET', job, 'closed', 1)
return 1
