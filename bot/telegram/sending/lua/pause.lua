-- Send nothing to a chat for a while, as Telegram asked.
--
-- KEYS: the chat's pause, the chat's bucket
-- Argument: now_ms (left out: the store's time), pause_ms,
--   refill_ms (until all tokens of the bucket but one have come: what waited is not sent all at once)
local pause, bucket = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1])

local now = args.now_ms
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local until_ms = now + args.pause_ms
redis.call('SET', pause, string.format('%.0f', until_ms), 'PX', math.ceil(args.pause_ms))
redis.call('SET', bucket, string.format('%.0f', until_ms + args.refill_ms), 'PX',
  math.ceil(args.pause_ms + args.refill_ms) + 1000)
