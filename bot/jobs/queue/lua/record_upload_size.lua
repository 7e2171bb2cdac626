-- Count the bytes that a job really brings instead of the declared ones.
--
-- Guarantee: only the latest attempt counts, and its last figure stands.
-- Races: an earlier attempt loses against a later one.
--
-- KEYS: job
-- Argument: attempt, bytes
-- Needs: quotas.lua
local job = KEYS[1]
local args = cjson.decode(ARGV[1])

if tonumber(redis.call('HGET', job, 'attempt')) == args.attempt then correct_bytes(job, args.bytes) end
