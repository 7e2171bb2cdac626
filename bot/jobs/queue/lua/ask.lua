-- Open a question of a running job: from here on it can be answered.
--
-- Guarantee: only the latest attempt asks, and a question that has its answer is not opened again.
-- Races: against an answer that came just before, asking loses.
--
-- KEYS: job, open question of the chat
-- Argument: attempt, id, question_id, answer_field
local job, open_question = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1])

if tonumber(redis.call('HGET', job, 'attempt')) ~= args.attempt then return end
if redis.call('HEXISTS', job, args.answer_field) == 1 then return end
redis.call('HSET', job, 'question', args.question_id)
redis.call('SET', open_question, args.id)
