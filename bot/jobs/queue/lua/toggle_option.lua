-- Tick or untick an option of a question that takes several.
--
-- Guarantee: an update counts once.
-- Races: a tick that comes after the answer changes nothing.
--
-- KEYS: update mark, job
-- Argument: question_id, option (its number), update_ttl_s
-- Answer: the ticked options, in the order in which they were ticked, with spaces between; nil if the question is not open
local update_mark, job = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local open_question_id, ticked = unpack(redis.call('HMGET', job, 'question', 'ticked'))
if open_question_id ~= args.question_id then return nil end
ticked = ticked or ''
if redis.call('EXISTS', update_mark) == 1 then return ticked end
local kept, was_ticked = {}, false
for option in string.gmatch(ticked, '%d+') do
  if option == args.option then was_ticked = true else table.insert(kept, option) end
end
if not was_ticked then table.insert(kept, args.option) end
ticked = table.concat(kept, ' ')
redis.call('HSET', job, 'ticked', ticked)
redis.call('SET', update_mark, '[]', 'EX', args.update_ttl_s)
return ticked
