-- Find queues whose ticket is lost, and jobs that count as waiting though they no longer do.
--
-- Guarantee: a queue in which something waits or runs stays in the index and is looked at again; an empty one leaves it,
-- and so does what no bot put there: it holds up no other queue.
-- Races: a ticket that is just about to be added counts as lost: one too many does no harm.
--
-- KEYS: queues in use by when to look at them, pause mark, all waiting jobs
-- Argument: now_s, limit, again_s (running, waiting), prefix (queue, running, job, open_question, ticket: one for each name of a queue)
-- Answer: {how many queues were looked at, {queue, job, ticket that had the job or ''} for each lost ticket}
-- Needs: asking.lua
local queues, paused, waiting = unpack(KEYS)
local args = cjson.decode(ARGV[1])
local prefix, is_paused = args.prefix, redis.call('EXISTS', paused) == 1

-- See Tickets.replace_lost.
local function sweep_ticket(queue, id) return 'sweep:' .. queue .. ':' .. id end

local function is_alive(ticket, name)
  local state = redis.call('HGET', prefix.ticket[name] .. ticket, 'state')
  return state and state ~= 'completed' and state ~= 'failed' and state ~= 'cancelled'
end

-- A chat's data may be erased.
for _, job in ipairs(redis.call('ZRANGE', waiting, 0, args.limit - 1)) do
  local state = redis.pcall('HGET', job, 'state')
  if state ~= 'queued' then redis.call('ZREM', waiting, job) end
end

-- Return when to look at a queue again, nil if it is empty; and its lost ticket, if there is one.
local function look_at(queue)
  local chat, name = string.match(queue, '^(-?%d+:?%d*)/(%l+)$')
  local job_prefix, suffix = prefix.job .. '{' .. chat .. '}:', '{' .. chat .. '}:' .. name
  local id, ticket = unpack(redis.call('HMGET', prefix.running .. suffix, 'job', 'ticket'))
  if id then
    redis.call('HLEN', job_prefix .. id)  -- fails for what is no job
    local holder = ticket ~= '' and ticket or sweep_ticket(queue, id)
    return args.again_s.running, not is_alive(holder, name) and {queue, id, ticket}
  end
  id = redis.call('LINDEX', prefix.queue .. suffix, 0)
  if not id then return nil end
  local waits_on = (is_paused and redis.call('HEXISTS', job_prefix .. id, 'charge') == 1)
    or (redis.call('EXISTS', prefix.open_question .. '{' .. chat .. '}') == 1 and goes_to_agent(job_prefix .. id))
    or is_alive(sweep_ticket(queue, id), name)
  return args.again_s.waiting, not waits_on and {queue, id, ''}
end

local lost = {}
local due = redis.call('ZRANGEBYSCORE', queues, '-inf', args.now_s, 'LIMIT', 0, args.limit)
for _, queue in ipairs(due) do
  local is_readable, again_s, ticket = pcall(look_at, queue)
  if is_readable and again_s then
    redis.call('ZADD', queues, args.now_s + again_s, queue)
    if ticket then table.insert(lost, ticket) end
  else
    redis.call('ZREM', queues, queue)
  end
end
return {#due, lost}
