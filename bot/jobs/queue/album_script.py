"""The store's side of gathering: where a part belongs, decided and written in one step with everything else.

Lua that stands in front of ``ACCEPT`` in ``jobs/queue/scripts.py``; see ``jobs/queue/album.py`` for what it is about.
"""

from bot.store import keys

PLACE = (
    f"local ALBUM_TTL, SENDER_TTL, ASKED_TTL = {keys.ALBUM_TTL_S}, {keys.SENDER_TTL_S}, {keys.JOB_TTL_S}"
    """
local NEAR_S, MOST_PARTS = 1, 100

-- The key of a job that takes parts still.
local function open_job(prefix, id)
  if not id then return nil end
  local is = redis.call('HMGET', prefix .. id, 'state', 'cancel', 'closed')
  if (is[1] == 'queued' or is[1] == 'running') and not is[2] and not is[3] then return prefix .. id end
end

local function put_words(job, part)
  redis.call('HSET', job, 'words:' .. part.id, part.words)
  if part.own then redis.call('HSET', job, 'own', 1) end
  redis.call('HINCRBY', job, 'version', 1)
end

-- What was seen of an album, for when somebody asks for something with it.
-- KEYS: album.
local function keep(KEYS, part)
  redis.call('HSET', KEYS[1], 'part:' .. part.id, part.part)
  redis.call('EXPIRE', KEYS[1], ALBUM_TTL)
end

-- An album goes as a whole: what came of it before is taken back, and what comes later is refused for the same reason.
-- KEYS: album.
local function refuse_album(KEYS, part, job, why)
  keep(KEYS, part)
  redis.call('HSET', KEYS[1], 'refused', cjson.encode(why))
  if not job then return end
  local of_album, others = {}, false
  for _, field in ipairs(redis.call('HKEYS', job)) do
    if string.sub(field, 1, 5) == 'part:' then
      if redis.call('HEXISTS', KEYS[1], field) == 1 then table.insert(of_album, field) else others = true end
    end
  end
  if not others then return redis.call('HSET', job, 'cancel', 1) end
  for _, field in ipairs(of_album) do
    redis.call('HDEL', job, field, 'words:' .. string.sub(field, 6))
  end
  redis.call('HINCRBY', job, 'version', 1)
end

-- KEYS: album, sender, message.
local function put(KEYS, job, id, part)
  redis.call('HSET', job, 'part:' .. part.id, part.part, 'last_at', part.now, 'sent_at', part.sent_at)
  if part.file then redis.call('HSET', job, 'file', 1) end
  if part.answered ~= '' then
    redis.call('HSETNX', job, 'part:' .. part.answered, part.answered_part)
    redis.call('HSET', job, 'file', 1)
  end
  redis.call('HINCRBY', job, 'count', 1)
  put_words(job, part)
  redis.call('SET', KEYS[2], id, 'EX', SENDER_TTL)
  redis.call('SET', KEYS[3], id, 'EX', ASKED_TTL)
  if part.album ~= '' then
    keep(KEYS, part)
    redis.call('HSET', KEYS[1], 'job', id)
  end
end

-- All of an album that was seen so far.
local function bring_album(job, album, id)
  local seen = redis.call('HGETALL', album)
  for i = 1, #seen, 2 do
    if string.sub(seen[i], 1, 5) == 'part:' and redis.call('HSETNX', job, seen[i], seen[i + 1]) == 1 then
      redis.call('HSET', job, 'file', 1)
      redis.call('HINCRBY', job, 'version', 1)
    end
  end
  redis.call('HSET', album, 'job', id)
  redis.call('EXPIRE', album, ALBUM_TTL)
end

-- Whether what is in no album of the job's belongs to it all the same: somebody sent both within a moment. Two requests
-- are two jobs, and so are two messages in words.
local function is_near(job, part)
  local last = redis.call('HMGET', job, 'sent_at', 'own', 'file', 'count')
  if not last[1] or math.abs(tonumber(part.sent_at) - tonumber(last[1])) > NEAR_S then return false end
  if part.own and last[2] then return false end
  return (part.file or part.forwarded or last[3]) and tonumber(last[4]) < MOST_PARTS
end

-- Where a part belongs, and the job's id. Writes nothing.
-- KEYS: album, sender, message.
local function place(KEYS, part, prefix)
  if part.how == 'edited' then
    local id = redis.call('GET', KEYS[3])
    local words = id and redis.call('HMGET', prefix .. id, 'offered:' .. part.id, 'words:' .. part.id)
    if not words or not words[2] then return 'unknown' end
    if part.words == (words[1] or words[2]) then return 'same' end
    return open_job(prefix, id) and 'edited' or 'started', id
  end
  local id = part.album ~= '' and redis.call('HGET', KEYS[1], 'job')
  if id and open_job(prefix, id) then return 'joined', id end
  if id and redis.call('EXISTS', prefix .. id) == 1 then return 'late', id end
  id = redis.call('GET', KEYS[2])
  local near = open_job(prefix, id)
  if near and (part.how == 'asked' or part.forwarded) and is_near(near, part) then return 'joined', id end
  return part.how == 'asked' and 'new' or 'kept'
end
"""
)
