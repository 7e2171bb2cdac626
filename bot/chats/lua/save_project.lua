-- Save what is known of a project of a chat now.
--
-- Guarantee: what is not given keeps its value, whoever writes it meanwhile; the projects used last are kept.
--
-- KEYS: projects of the chat
-- Argument: mark, change (fields to set), name_if_none, kept, versions_prefix, ttl_s
-- Answer: 1 if name_if_none has become its name, else 0
local name = KEYS[1]
local args = cjson.decode(ARGV[1])

local before = redis.call('HGET', name, args.mark)
local project = before and cjson.decode(before) or {}
for field, value in pairs(args.change) do project[field] = value end
local is_named = (project.name or '') == '' and args.name_if_none ~= ''
if is_named then project.name = args.name_if_none end
redis.call('HSET', name, args.mark, cjson.encode(project))
if redis.call('HLEN', name) > args.kept then
  local fields, projects = redis.call('HGETALL', name), {}
  for index = 1, #fields, 2 do
    table.insert(projects, {mark = fields[index], used_at = cjson.decode(fields[index + 1]).used_at})
  end
  table.sort(projects, function(one, other) return one.used_at > other.used_at end)
  for index = args.kept + 1, #projects do
    redis.call('HDEL', name, projects[index].mark)
    redis.call('DEL', args.versions_prefix .. projects[index].mark)
  end
end
redis.call('EXPIRE', name, args.ttl_s)
return is_named and 1 or 0
