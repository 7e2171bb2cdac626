-- Take a token from each bucket, or from none.
--
-- A bucket is stored as the moment at which it will be full again, in ms.
--
-- KEYS: the chat's pause, the bot's bucket, the chat's buckets
-- Argument: now_ms (left out: the store's time), reserves (whether to take tokens that come later),
--   buckets: {token_ms, room_ms} for each bucket
-- Answer: granted, ms to wait, whether the chat's own limits make it wait
local args = cjson.decode(ARGV[1])

local now = args.now_ms
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local bot_wait = 0
local chat_wait = math.max(0, (tonumber(redis.call('GET', KEYS[1])) or 0) - now)
local full_at = {}
for i, bucket in ipairs(args.buckets) do
  full_at[i] = math.max(tonumber(redis.call('GET', KEYS[i + 1])) or 0, now) + bucket.token_ms
  local wait = full_at[i] - now - bucket.room_ms
  if i == 1 then bot_wait = math.max(bot_wait, wait) else chat_wait = math.max(chat_wait, wait) end
end
if not args.reserves and (bot_wait > 0 or chat_wait > 0) then
  return {0, math.ceil(math.max(bot_wait, chat_wait)), chat_wait >= bot_wait and 1 or 0}
end
for i, at in ipairs(full_at) do
  redis.call('SET', KEYS[i + 1], string.format('%.0f', at), 'PX', math.ceil(at - now) + 1000)
end
return {1, math.ceil(math.max(bot_wait, chat_wait)), 0}
