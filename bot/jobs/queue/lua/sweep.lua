-- Find queues whose ticket is lost, and jobs that count as waiting though they no longer do.
--
-- Guarantee: a queue in which something waits or runs stays in the index and is looked at again; an empty one leaves it.
-- Races: a ticket that is just about to be added counts as lost: one too many does no harm.
--
-- KEYS: queues in use by when to look at them, pause mark, all waiting jobs
-- Argument: now_s, limit, again_s (running, waiting), prefix (queue, running, job, open_question, ticket)
-- Answer: {how many queues were looked at, {queue, job, ticket that had the job or ''} for each lost ticket}
-- Needs: asking.lua
local queues, paused, waiting = unpack(KEYS)
local args = cjson.decode(ARGV[1])
local prefix, is_paused = args.prefix, redis.call('EXISTS', paused) == 1

-- See Tickets.replace_lost.
local function sweep_ticket(queue, id) return 'sweep:' .. queue .. ':' .. id end

local function is_alive(ticket)
  local state = redis.call('HGET', prefix.ticket .. ticket, 'state')
  return state and state ~= 'completed' and state ~= 'failed' and state ~= 'cancelled'
end

-- A chat's data may be erased.
for _, job in ipairs(redis.call('ZRANGE', waiting, 0, args.limit - 1)) do
  local state = redis.call('HGET', job, 'state')
  if state ~= 'queued' then redis.call('ZREM', waiting, job) end
end

local lost = {}
local due = redis.call('ZRANGEBYSCORE', queues, '-inf', args.now_s, 'LIMIT', 0, args.limit)
for _, queue in ipairs(due) do
  local chat, name = string.match(queue, '^(.*)/([^/]*)$')
  local job_prefix, suffix = prefix.job .. '{' .. chat .. '}:', '{' .. chat .. '}:' .. name
  local again_s = args.again_s.running
  local id, ticket = unpack(redis.call('HMGET', prefix.running .. suffix, 'job', 'ticket'))
  if id then
    local holder = ticket ~= '' and ticket or sweep_ticket(queue, id)
    if not is_alive(holder) then table.insert(lost, {queue, id, ticket}) end
  else
    id = redis.call('LINDEX', prefix.queue .. suffix, 0)
    again_s = id and args.again_s.waiting
    local waits_on = id and (
      (is_paused and redis.call('HEXISTS', job_prefix .. id, 'charge') == 1)
      or (redis.call('EXISTS', prefix.open_question .. '{' .. chat .. '}') == 1 and goes_to_agent(job_prefix .. id))
      or is_alive(sweep_ticket(queue, id)))
    if id and not waits_on then table.insert(lost, {queue, id, ''}) end
  end
  if again_s then
    redis.call('ZADD', queues, args.now_s + again_s, queue)
  else
    redis.call('ZREM', queues, queue)
  end
end
return {#due, lost}
