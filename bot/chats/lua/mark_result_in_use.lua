-- Keep the latest result of a chat: somebody replied to it.
--
-- Guarantee: only the result that is still the latest one is marked.
--
-- KEYS: chat
-- Argument: chat_id, message_id
local chat = KEYS[1]
local args = cjson.decode(ARGV[1])

local saved = redis.call('HMGET', chat, 'result_chat_id', 'result_message_id')
if saved[1] == args.chat_id and saved[2] == args.message_id then redis.call('HSET', chat, 'result_in_use', 1) end
