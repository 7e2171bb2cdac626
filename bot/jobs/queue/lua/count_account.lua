-- Count what a message to the agent used of a chat's account.
--
-- Guarantee: the sums of a kind are those of its accounts.
-- Races: the balance that comes last stands, and the sums follow it.
--
-- KEYS: credits that each account spent, credits that each had last, totals; all of one day
-- Argument: account, kind, used, left, ttl_s
local spent, left, totals = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local had = redis.call('HGET', left, args.account)
if not had then redis.call('HINCRBY', totals, 'accounts:' .. args.kind, 1) end
redis.call('ZINCRBY', spent, args.used, args.account)
redis.call('HSET', left, args.account, args.left)
redis.call('HINCRBY', totals, 'spent:' .. args.kind, args.used)
redis.call('HINCRBY', totals, 'left:' .. args.kind, args.left - tonumber(had or '0'))
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, args.ttl_s) end
