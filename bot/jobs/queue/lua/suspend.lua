-- Suspend a running job until a person answers, and free its queue.
--
-- Guarantee: a job that has its answer, or was cancelled, is not suspended.
-- Races: against an answer or a cancellation, suspending loses: the ticket takes the job up again.
--
-- KEYS: job, queue, running job of the queue, all started jobs, their last checkpoints, all open questions
-- Argument: attempt, id, member (of the open questions), now_s
-- Answer: how many jobs wait; -1 if the ticket has to take the job up again, -2 for an earlier attempt
local job, queue, running, started, last_saved, questions = unpack(KEYS)
local args = cjson.decode(ARGV[1])

if tonumber(redis.call('HGET', job, 'attempt')) ~= args.attempt then return -2 end
-- Waiting for a person is no failed try.
redis.call('HINCRBY', job, 'uncounted_attempts', 1)
if redis.call('HEXISTS', job, 'question') == 0 then return -1 end
if redis.call('HEXISTS', job, 'cancel_requested') == 1 then return -1 end
redis.call('HSET', job, 'state', 'asking')
redis.call('HDEL', job, 'position_message_claimed')
redis.call('ZADD', questions, args.now_s, args.member)
redis.call('ZREM', started, job)
redis.call('ZREM', last_saved, job)
if redis.call('HGET', running, 'job') == args.id then redis.call('DEL', running) end
return redis.call('LLEN', queue)
