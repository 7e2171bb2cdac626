-- Change fields of a chat or put something first in one of its lists, and renew the chat's TTL.
--
-- Guarantee: the change is one write; what it does not name keeps its value, whoever writes that meanwhile. With
-- expected values nothing is changed unless all of them are there.
--
-- KEYS: list (any key without an entry), what lives as long as the chat
-- Argument: ttl_s; entry, kept (both only with an entry); changes (each: key, name, and value unless the field goes);
--   expected (each: key, name, value; '' for none; left out for anything)
-- Answer: 1, or 0 if something else was there
local list = KEYS[1]
local args = cjson.decode(ARGV[1])

for _, one in ipairs(args.expected or {}) do
  if (redis.call('HGET', one.key, one.name) or '') ~= one.value then return 0 end
end
for _, change in ipairs(args.changes) do
  if change.value then redis.call('HSET', change.key, change.name, change.value) else redis.call('HDEL', change.key, change.name) end
end
if args.entry then
  redis.call('LPUSH', list, args.entry)
  redis.call('LTRIM', list, 0, args.kept - 1)
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, args.ttl_s) end
return 1
