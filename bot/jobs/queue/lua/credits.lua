-- Functions that count the credits that a day's messages to the agent use of the operator's account.
--
-- What was used shows in the falls of the account's balance. Until a reading shows them, estimates stand in. The day's
-- totals hold: credits (fallen), credits_reserved (estimates of messages that run), credits_unseen (of those that ended
-- since the last reading). The balance is a hash: total (of the last reading), readings (counts readings and ends of
-- messages), counted (the number of the last of them: a reading that was begun before it shows too little).
-- The job's field 'credits' keeps its estimate: turn, estimate, person_key, totals_key, balance_key.
--
-- Needs: quotas.lua

local function is_newest(balance_key, reading)
  return reading and reading.number >= tonumber(redis.call('HGET', balance_key, 'counted') or '0')
end

local function count_event(balance_key)
  redis.call('HSET', balance_key, 'counted', redis.call('HINCRBY', balance_key, 'readings', 1))
end

-- Count what the balance fell by since the last reading.
local function count_reading(balance_key, totals_key, total, ttl_s)
  local last = redis.call('HGET', balance_key, 'total')
  local fall = tonumber(last or total) - total
  -- If the balance was topped up meanwhile, the estimates are more exact.
  if fall < 0 then fall = tonumber(redis.call('HGET', totals_key, 'credits_unseen') or '0') end
  redis.call('HINCRBY', totals_key, 'credits', fall)
  if last then redis.call('HSET', totals_key, 'credits_unseen', 0) end
  redis.call('HSET', balance_key, 'total', total)
  count_event(balance_key)
  redis.call('EXPIRE', balance_key, ttl_s)
  redis.call('EXPIRE', totals_key, ttl_s)
end

-- A job's message to the agent has ended; 'used' is nil where only the estimate is known.
local function release_credits(job, used)
  local text = redis.call('HGET', job, 'credits')
  if not text then return end
  local reserved = cjson.decode(text)
  used = used or reserved.estimate
  increase_if_exists(reserved.person_key, 'credits', used - reserved.estimate)
  increase_if_exists(reserved.totals_key, 'credits_reserved', -reserved.estimate)
  increase_if_exists(reserved.totals_key, 'credits_unseen', used)
  if redis.call('EXISTS', reserved.balance_key) == 1 then count_event(reserved.balance_key) end
  redis.call('HDEL', job, 'credits')
end
