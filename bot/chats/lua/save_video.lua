-- Save the video of all versions with a draft.
--
-- Guarantee: whatever else is kept of a version stays.
--
-- KEYS: versions of the project
-- Argument: draft_digest, video (fields to set)
local name = KEYS[1]
local args = cjson.decode(ARGV[1])

local fields = redis.call('HGETALL', name)
for index = 1, #fields, 2 do
  -- Most are other ones: reading a whole draft for each would take long.
  if string.find(fields[index + 1], args.draft_digest, 1, true) then
    local version = cjson.decode(fields[index + 1])
    if version.draft_digest == args.draft_digest then
      for field, value in pairs(args.video) do version[field] = value end
      redis.call('HSET', name, fields[index], cjson.encode(version))
    end
  end
end
