"""The Lua scripts behind ``jobs/queue/job_queue.py``: each changes several keys in one step.

Below each stands what it guarantees, however often it is repeated and wherever a process dies.
"""

from bot.jobs.queue.album_script import PLACE
from bot.jobs.queue.quotas import BUDGET_LUA

ACCEPT = (
    BUDGET_LUA
    + PLACE
    + """
-- KEYS: update mark, album, sender, message, answered album, then per job: job, list, slot.
-- ARGV: mark's ttl, charge or nothing, prefix of job keys, the part's facts or nothing,
-- then per job: id, request, limit, 1 if gathered; then the queue of all, now, its limit.
if redis.call('EXISTS', KEYS[1]) == 1 then return {'repeated'} end
local prefix = ARGV[3]
local charge = ARGV[2] ~= '' and cjson.decode(ARGV[2])
local part = ARGV[4] ~= '' and cjson.decode(ARGV[4])
local places = {KEYS[2], KEYS[3], KEYS[4]}
if part and part.album ~= '' then
  local why = redis.call('HGET', KEYS[2], 'refused')
  if why then
    keep(places, part)
    return cjson.decode(why)
  end
end
local verdict, old = 'new', nil
if part then verdict, old = place(places, part, prefix) end
local is_kept = {joined = true, edited = true, kept = true, same = true, unknown = true}
local function is_stored(a)
  return not is_kept[verdict] or (verdict == 'joined' and ARGV[a + 3] == '')
end
for i = 1, (#KEYS - 5) / 3 do
  local k, a = 3 * i + 3, 4 * i + 1
  if is_stored(a) and redis.call('LLEN', KEYS[k + 1]) >= tonumber(ARGV[a + 2]) then return {'full'} end
end
local queue, now, most = ARGV[#ARGV - 2], ARGV[#ARGV - 1], tonumber(ARGV[#ARGV])
local counted = {}
for i = 1, (#KEYS - 5) / 3 do
  local k, a = 3 * i + 3, 4 * i + 1
  if is_stored(a) and string.sub(KEYS[k + 1], -5) == ':main' then table.insert(counted, KEYS[k]) end
end
if #counted > 0 and redis.call('ZCARD', queue) + #counted > most then return {'busy'} end
local was_asked = verdict == 'late' and redis.call('HEXISTS', prefix .. old, 'own') == 1
if charge then
  if verdict == 'joined' then charge.job = prefix .. old elseif is_kept[verdict] then charge = nil end
  -- A wish counts once, however many of its parts have words.
  if charge and (was_asked or requests(charge.job) > 0) then charge.jobs = 0 end
end
local refused = charge and exceeded(charge)
if refused then
  if part and part.album ~= '' then
    refuse_album(places, part, verdict == 'joined' and prefix .. old, refused)
  end
  return refused
end
for i = 1, (#KEYS - 5) / 3 do
  local k, a = 3 * i + 3, 4 * i + 1
  if is_stored(a) then
    redis.call('HSET', KEYS[k], 'request', ARGV[a + 1], 'state', 'queued', 'attempt', 0, 'excused', 0)
    redis.call('RPUSH', KEYS[k + 1], ARGV[a])
    if ARGV[a + 3] ~= '' then
      put(places, KEYS[k], ARGV[a], part)
      if verdict == 'late' then redis.call('HSET', KEYS[k], 'late', 1) end
      if was_asked then redis.call('HSET', KEYS[k], 'was_asked', 1) end
      if verdict == 'new' and part.album ~= '' then bring_album(KEYS[k], KEYS[2], ARGV[a]) end
      if part.of_album ~= '' then bring_album(KEYS[k], KEYS[5], ARGV[a]) end
    end
  end
end
if verdict == 'joined' then put(places, prefix .. old, old, part) end
if verdict == 'started' then redis.call('HSET', prefix .. old, 'offered:' .. part.id, part.words) end
if verdict == 'edited' then
  put_words(prefix .. old, part)
  if part.own then request(prefix .. old) end
end
if verdict == 'kept' and part.album ~= '' then keep(places, part) end
for _, job in ipairs(counted) do redis.call('ZADD', queue, now, job) end
local told = charge and pay(charge.job, charge) or {}
redis.call('SET', KEYS[1], #told > 0 and cjson.encode(told) or '[]', 'EX', ARGV[1])
return {'new'}
"""
)
"""An update is taken once: its mark, its jobs, its part of a request and what it costs are one write, or nothing is."""

TAKE = """
-- KEYS: list, slot.
-- ARGV: ticket, prefix of job keys, key of the pause, the queue of all, all that run, when they saved, now.
local held = redis.call('HMGET', KEYS[2], 'job', 'ticket')
local id = held[1]
if id then
  if held[2] ~= '' and held[2] ~= ARGV[1] then return {'busy'} end
else
  id = redis.call('LINDEX', KEYS[1], 0)
  if not id then return {'empty'} end
  if redis.call('EXISTS', ARGV[3]) == 1 and redis.call('HEXISTS', ARGV[2] .. id, 'charged') == 1 then
    return {'paused'}
  end
  redis.call('LPOP', KEYS[1])
  redis.call('ZREM', ARGV[4], ARGV[2] .. id)
end
redis.call('HSET', KEYS[2], 'job', id, 'ticket', ARGV[1])
local job = ARGV[2] .. id
local attempt = redis.call('HINCRBY', job, 'attempt', 1)
redis.call('HSET', job, 'state', 'running')
-- Not anew at a later start: a job that begins again and again gets nowhere either.
redis.call('ZADD', ARGV[5], 'NX', ARGV[7], job)
redis.call('ZADD', ARGV[6], 'NX', ARGV[7], job)
return {'taken', id, attempt}
"""
"""A slot has one job, and one ticket runs it; each start raises the attempt, which fences the earlier ones off."""

CLOSE = """
-- KEYS: job.  ARGV: attempt, version.
local is = redis.call('HMGET', KEYS[1], 'attempt', 'version')
if is[1] ~= ARGV[1] then return 0 end
if (is[2] or '0') ~= ARGV[2] then return 2 end
redis.call('HSET', KEYS[1], 'closed', 1)
return 1
"""
"""Nothing joins a job any more, unless something has that the caller has not seen."""

SAVE = """
-- KEYS: job.  ARGV: attempt, field, value, when those that run saved, now.
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', ARGV[4], 'XX', ARGV[5], KEYS[1])
if redis.call('HEXISTS', KEYS[1], 'cancel') == 1 then return 2 end
return 1
"""
"""A checkpoint is kept by the latest attempt alone, which hears at once that the job was cancelled."""

WEIGH = (
    BUDGET_LUA
    + """
-- KEYS: job.  ARGV: attempt, bytes.
if redis.call('HGET', KEYS[1], 'attempt') == ARGV[1] then weigh(KEYS[1], tonumber(ARGV[2])) end
"""
)
"""The bytes that a job really brings take the place of the declared ones, by the latest attempt alone."""

FINISH = (
    BUDGET_LUA
    + """
-- KEYS: job, list, slot.
-- ARGV: attempt, state, ttl, id, all that run, when they saved, those given up, this one or nothing, ttl, how many.
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return -1 end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
settle(KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZREM', ARGV[5], KEYS[1])
redis.call('ZREM', ARGV[6], KEYS[1])
if ARGV[8] ~= '' and redis.call('HSETNX', KEYS[1], 'given_up', 1) == 1 then
  redis.call('LPUSH', ARGV[7], ARGV[8])
  redis.call('LTRIM', ARGV[7], 0, ARGV[10] - 1)
  redis.call('EXPIRE', ARGV[7], ARGV[9])
end
-- The client sends a command again whose answer was lost: by then the slot may be the next job's.
if redis.call('HGET', KEYS[3], 'job') == ARGV[4] then redis.call('DEL', KEYS[3]) end
return redis.call('LLEN', KEYS[2])
"""
)
"""A job ends once, with what it cost settled, and its slot is emptied only while it holds that."""

PARK = """
-- KEYS: job, slot.  ARGV: ticket, 1 when this start is not held against the job.
if redis.call('HGET', KEYS[2], 'ticket') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'ticket', '')
redis.call('HINCRBY', KEYS[1], 'excused', ARGV[2])
return 1
"""
"""A job is given back by the ticket that has it alone; its slot stays taken, so that it stays the lane's next."""

CANCEL = (
    BUDGET_LUA
    + """
-- KEYS: job, list.  ARGV: id, ttl, the queue of all.
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'gone' end
if state == 'queued' and redis.call('LREM', KEYS[2], 1, ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], 'state', 'cancelled')
  redis.call('ZREM', ARGV[3], KEYS[1])
  settle(KEYS[1], 'cancelled')
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return 'queued'
end
if state == 'queued' or state == 'running' then
  redis.call('HSET', KEYS[1], 'cancel', 1)
  return 'running'
end
return state
"""
)
"""A job that waits is out of its lane for good; one that runs finds the mark at its next checkpoint."""

CLAIM = """
-- KEYS: job.  A job that has begun has a live message of its own; it would get a second one.
if redis.call('HGET', KEYS[1], 'state') ~= 'queued' then return 0 end
return redis.call('HSETNX', KEYS[1], 'announced', 1)
"""
"""Only one worker tells a job its place, and only while it waits."""

BESIDE = """
-- KEYS: job.  ARGV: field, value.  A job that was erased stays so.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""
"""What is noted of a job from outside does not bring back one that was erased."""
