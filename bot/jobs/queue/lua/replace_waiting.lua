-- Replace the request of a job that waits.
--
-- Guarantee: a job that has begun, ended or been erased keeps what it has.
-- Races: against the claim, replacing loses.
--
-- KEYS: job
-- Argument: request
-- Answer: 1, or 0 if it doesn't wait
local job = KEYS[1]
local args = cjson.decode(ARGV[1])

if redis.call('HGET', job, 'state') ~= 'queued' then return 0 end
redis.call('HSET', job, 'request', args.request)
return 1
