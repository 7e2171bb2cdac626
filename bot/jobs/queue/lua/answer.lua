-- Close a job's question, with its answer or because nobody gave one, and let the job go on before all that wait.
--
-- Guarantee: a question is answered once, and an update counts once.
-- Races: the second answer, and one that comes after the job was cancelled, change nothing.
--
-- KEYS: update mark, job, queue, open question of the chat, all open questions, all waiting jobs, queues in use
-- Argument: id, queue, question_id, member (of the open questions), now_s, update_ttl_s, field and value (of the
--   answer, if there is one)
-- Answer: 'answered', 'over' or 'repeated'
local update_mark, job, queue, open_question, questions, waiting, queues = unpack(KEYS)
local args = cjson.decode(ARGV[1])

if redis.call('EXISTS', update_mark) == 1 then return 'repeated' end
local open_question_id, state = unpack(redis.call('HMGET', job, 'question', 'state'))
if open_question_id ~= args.question_id or (state ~= 'asking' and state ~= 'running') then return 'over' end
if redis.call('HEXISTS', job, 'cancel_requested') == 1 then return 'over' end
if args.field then redis.call('HSET', job, args.field, args.value) end
redis.call('HDEL', job, 'question', 'ticked')
redis.call('DEL', open_question)
redis.call('SET', update_mark, '[]', 'EX', args.update_ttl_s)
if state == 'asking' then
  redis.call('ZREM', questions, args.member)
  redis.call('HSET', job, 'state', 'queued')
  redis.call('LPUSH', queue, args.id)
  redis.call('ZADD', queues, 'NX', args.now_s, args.queue)
  redis.call('ZADD', waiting, args.now_s, job)
end
return 'answered'
