-- Give a ticket the next job of a queue, or the job that it had before.
--
-- Guarantee: a queue runs one job at a time, and one ticket has it; each start raises the attempt, which fences the
-- earlier ones off.
-- Races: of two tickets the later one gets nothing, unless the job was parked; then the first to come has it.
--
-- While the chat's question is open, no other request goes to the agent, which would take it for the answer. Files
-- without words, exports and the like go ahead.
--
-- KEYS: queue, running job of the queue, pause mark, all waiting jobs, all started jobs, their last checkpoints,
--   open question of the chat, queues in use, version of the store's data
-- Argument: queue, ticket, job_prefix, now_s, paused_all, schema
-- Answer: {id, attempt, fields of the job (names and values in turns), jobs that wait}; nil if the queue is busy, empty or
--   paused, or waits behind a question; {'newer', version} if a later release has migrated the store, which is to have its jobs
-- Needs: asking.lua
local queue, running, paused, waiting, started, last_saved, open_question, queues, schema = unpack(KEYS)
local args = cjson.decode(ARGV[1])

local version = redis.call('GET', schema)
if version and tonumber(version) > args.schema then return {'newer', version} end

local id, ticket = unpack(redis.call('HMGET', running, 'job', 'ticket'))
if id then
  if ticket ~= '' and ticket ~= args.ticket then return nil end
  if redis.call('GET', paused) == args.paused_all then return nil end
else
  id = redis.call('LINDEX', queue, 0)
  if not id then return nil end
  if redis.call('EXISTS', paused) == 1 and redis.call('HEXISTS', args.job_prefix .. id, 'charge') == 1 then
    return nil
  end
  if redis.call('EXISTS', open_question) == 1 and goes_to_agent(args.job_prefix .. id) then return nil end
  redis.call('LPOP', queue)
  redis.call('ZREM', waiting, args.job_prefix .. id)
end
local job = args.job_prefix .. id
redis.call('HSET', running, 'job', id, 'ticket', args.ticket)
redis.call('HSET', job, 'state', 'running')
redis.call('ZADD', queues, args.now_s, args.queue)
-- Only the first start counts: a job that begins again and again makes no progress either.
redis.call('ZADD', started, 'NX', args.now_s, job)
redis.call('ZADD', last_saved, 'NX', args.now_s, job)
return {id, redis.call('HINCRBY', job, 'attempt', 1), redis.call('HGETALL', job), redis.call('LLEN', queue)}
