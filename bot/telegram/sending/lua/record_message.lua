-- Record that a message is known.
--
-- Guarantee: the newest messages are known, the others are forgotten in time.
--
-- KEYS: message numbers, latest messages of the chat, what the message held when it was seen
-- Argument: message_id, numbers_kept, numbers_ttl_s, request_id and latest_kept (only in a private chat),
--   content and seen_ttl_s (only if it may become a request by an edit)
local numbers, latest, seen = unpack(KEYS)
local args = cjson.decode(ARGV[1])

redis.call('ZADD', numbers, args.message_id, args.message_id)
redis.call('ZREMRANGEBYRANK', numbers, 0, -args.numbers_kept - 1)
redis.call('EXPIRE', numbers, args.numbers_ttl_s)
if args.request_id then
  redis.call('ZADD', latest, 'GT', args.message_id, args.request_id)
  redis.call('ZREMRANGEBYRANK', latest, 0, -args.latest_kept - 1)
  redis.call('EXPIRE', latest, args.numbers_ttl_s)
end
if args.content then redis.call('SET', seen, args.content, 'EX', args.seen_ttl_s) end
