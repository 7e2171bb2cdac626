-- Replace the estimate of a message to the agent, which has ended, with what it used.
--
-- Guarantee: the use of a message is recorded once.
-- Races: see reserve_credits.lua.
--
-- KEYS: job, balance, day's totals
-- Argument: ttl_s, used (only if it is known), reading (number, total; only if there is one)
-- Needs: quotas.lua, credits.lua
local job, balance, totals = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local is_shown = is_newest(balance, args.reading)
release_credits(job, args.used)
if is_shown then count_reading(balance, totals, args.reading.total, args.ttl_s) end
