-- Erase everything stored about a chat, except this job, the jobs that wait or run, and what refers to them.
--
-- Guarantee: a chat is erased once for a job, however often it starts, so what came after the first time stays.
-- Races: an earlier attempt loses against a later one. A question that is being answered may set up an account, and
-- would write the chat back: against it the erasure loses, and is tried again.
--
-- KEYS: job, running question, jobs given up, message numbers of the chat
-- Argument: attempt, chat, job_prefix, queues (each: queue_key, running_key), erase (keys), checkpoint (field, value)
-- Answer: 1, or 0 if it has to be tried again or another attempt has the job
local job, question, given_up, message_numbers = unpack(KEYS)
local args = cjson.decode(ARGV[1])

if tonumber(redis.call('HGET', job, 'attempt')) ~= args.attempt then return 0 end
if redis.call('HEXISTS', job, args.checkpoint.field) == 1 then return 1 end
if redis.call('EXISTS', question) == 1 then return 0 end

local spared = {[job] = true}
for _, queue in ipairs(args.queues) do
  spared[queue.queue_key], spared[queue.running_key] = true, true
  for _, id in ipairs(redis.call('LRANGE', queue.queue_key, 0, -1)) do spared[args.job_prefix .. id] = true end
  local id = redis.call('HGET', queue.running_key, 'job')
  if id then spared[args.job_prefix .. id] = true end
end

-- What leads from a message, a sender or an album to its job goes with that job.
local function is_spared(key)
  if spared[key] then return true end
  local kind, id = redis.call('TYPE', key).ok, nil
  if kind == 'string' then id = redis.call('GET', key) end
  if kind == 'hash' then id = redis.call('HGET', key, 'job') end
  return id and spared[args.job_prefix .. id]
end

for _, entry in ipairs(redis.call('LRANGE', given_up, 0, -1)) do
  if cjson.decode(entry).chat == args.chat then redis.call('LREM', given_up, 0, entry) end
end
for _, key in ipairs(args.erase) do
  if key == message_numbers then
    -- The newest number stays: without it a send that is looked for would be taken for an older message.
    redis.call('ZREMRANGEBYRANK', key, 0, -2)
  elseif not is_spared(key) then
    redis.call('DEL', key)
  end
end
redis.call('HSET', job, args.checkpoint.field, args.checkpoint.value)
return 1
