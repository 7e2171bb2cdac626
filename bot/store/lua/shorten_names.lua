-- Give the fields of a chat their short names.
--
-- Guarantee: done at once for each chat; a field that has its short name already keeps its value.
--
-- KEYS: chat
-- Argument: names (whole to short)
local chat = KEYS[1]

for name, short in pairs(cjson.decode(ARGV[1]).names) do
  local value = redis.call('HGET', chat, name)
  if value then
    redis.call('HSETNX', chat, short, value)
    redis.call('HDEL', chat, name)
  end
end
