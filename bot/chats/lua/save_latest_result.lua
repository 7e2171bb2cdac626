-- Save the latest result of a chat, if the one before is still what the caller has seen.
--
-- Guarantee: of two results that are saved at once, one wins and the other learns it.
--
-- KEYS: chat, results, chat of the account
-- Argument: expected_chat_id, expected_message_id ('' for none), chat_id, message_id, session_id, ttl_s
-- Answer: 1, or 0 if another result was saved meanwhile
local chat, results, account = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local saved = redis.call('HMGET', chat, 'result_chat_id', 'result_message_id')
if (saved[1] or '') ~= args.expected_chat_id or (saved[2] or '') ~= args.expected_message_id then return 0 end
redis.call('HSET', chat, 'result_chat_id', args.chat_id, 'result_message_id', args.message_id,
  'result_session_id', args.session_id)
redis.call('HDEL', chat, 'result_in_use')
redis.call('EXPIRE', chat, args.ttl_s)
redis.call('EXPIRE', results, args.ttl_s)
redis.call('EXPIRE', account, args.ttl_s)
return 1
