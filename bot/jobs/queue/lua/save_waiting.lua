-- Save checkpoints of a job that no attempt has.
--
-- Guarantee: a job whose chat was erased is not brought back.
-- Races: against the erasure, saving loses.
--
-- KEYS: job
-- Argument: fields (names and values in turns)
local job = KEYS[1]
local args = cjson.decode(ARGV[1])

if redis.call('EXISTS', job) == 1 then redis.call('HSET', job, unpack(args.fields)) end
