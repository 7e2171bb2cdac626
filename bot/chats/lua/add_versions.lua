-- Add versions of a project behind the latest one.
--
-- Guarantee: a request adds its own once; numbers count on without a gap, and the newest versions are kept.
--
-- KEYS: versions of the project
-- Argument: versions (each: job_id, number for a project without any, text), kept, ttl_s
local name = KEYS[1]
local args = cjson.decode(ARGV[1])

local numbers = {}
for _, number in ipairs(redis.call('HKEYS', name)) do table.insert(numbers, tonumber(number)) end
table.sort(numbers)
local latest = numbers[#numbers]
local next_number = latest and latest + 1
local function is_known(job_id)
  if job_id == '' then return latest end
  for _, text in ipairs(redis.call('HVALS', name)) do
    if string.find(text, '"job_id":"' .. job_id .. '"', 1, true) then return true end
  end
end
for _, version in ipairs(args.versions) do
  if not is_known(version.job_id) then
    redis.call('HSET', name, next_number or version.number, version.text)
    table.insert(numbers, next_number or version.number)
  end
end
for index = 1, #numbers - args.kept do redis.call('HDEL', name, numbers[index]) end
redis.call('EXPIRE', name, args.ttl_s)
