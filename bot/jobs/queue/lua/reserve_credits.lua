-- Reserve the credits that a message to the agent will use, if today's limits allow it.
--
-- Guarantee: limit and reservation are one write, so messages that are sent side by side count, too. A message that is
-- prepared again is reserved once.
-- Races: a reading of the balance that others overtook is left out; the next one shows the same.
--
-- KEYS: job, balance, day's totals, day's quota of the person
-- Argument: turn, estimate, limits (bot, person; 0 is none), ttl_s, reading (number, total; only if there is one)
-- Answer: {'' or whose limit is reached: 'bot' or 'person', credits used by all today, percentage of the last alert}
-- Needs: quotas.lua, credits.lua
local job, balance, totals, person = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local text = redis.call('HGET', job, 'credits')
-- The same message once more was refused before.
if text then release_credits(job, cjson.decode(text).turn == args.turn and 0 or nil) end
if is_newest(balance, args.reading) then count_reading(balance, totals, args.reading.total, args.ttl_s) end

local function sum(key, ...)
  local total = 0
  for _, value in ipairs({...}) do total = total + tonumber(redis.call('HGET', key, value) or '0') end
  return total
end

-- The first message of a day is always allowed: its estimate may be above the limit.
local function is_exceeded(limit, used) return limit > 0 and used > 0 and used + args.estimate > limit end

local alerted = sum(totals, 'credits_alerted')
local used = sum(totals, 'credits', 'credits_reserved', 'credits_unseen')
if is_exceeded(args.limits.bot, used) then return {'bot', used, alerted} end
if is_exceeded(args.limits.person, sum(person, 'credits')) then return {'person', used, alerted} end
if redis.call('EXISTS', job) == 1 then
  redis.call('HINCRBY', person, 'credits', args.estimate)
  redis.call('HINCRBY', totals, 'credits_reserved', args.estimate)
  redis.call('EXPIRE', person, args.ttl_s)
  redis.call('EXPIRE', totals, args.ttl_s)
  redis.call('HSET', job, 'credits', cjson.encode({
    turn = args.turn, estimate = args.estimate, person_key = person, totals_key = totals, balance_key = balance,
  }))
end
return {'', used + args.estimate, alerted}
