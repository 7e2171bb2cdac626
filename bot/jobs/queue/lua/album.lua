-- Functions that find the job to which a part of a request belongs, and add the part to it; see album.py.
--
-- A part comes from Python (ArrivedPart):
--   kind ('asked', 'refused', 'begins', 'unaddressed' or 'edited'), message_id, part and text (as they are stored), album, replied_album,
--   replied_id and replied_part ('' if it replies to none), has_prompt, is_forwarded, is_full, has_file,
--   file_unique_id ('' without a file), sent_at_s, now_s
-- keys: album, latest_job, job_of_message, replied_album.
--
-- An album is a hash: 'part:<message_id>' for each part seen, 'job' (id), 'refusal' (why the whole of it is refused).
-- Keys of jobs are made from their ids: which job is meant is known only here.

local ADJACENT_S, MAX_PARTS = 1, 100

-- Return the key of a job that still takes parts, or nil.
local function find_open_job(job_prefix, id)
  if not id then return nil end
  local job = job_prefix .. id
  local fields = redis.call('HMGET', job, 'state', 'cancel_requested', 'closed')
  local is_active = fields[1] == 'queued' or fields[1] == 'running'
  if is_active and not fields[2] and not fields[3] then return job end
end

local function save_text(job, part)
  redis.call('HSET', job, 'text:' .. part.message_id, part.text)
  if part.has_prompt then redis.call('HSET', job, 'has_prompt', 1) end
  redis.call('HINCRBY', job, 'version', 1)
end

-- Return what an edit can change of a part, in a form that can be compared.
local function content_of(file_unique_id, text) return file_unique_id .. ' ' .. text end

local function save_edited_part(job, part)
  redis.call('HSET', job, 'part:' .. part.message_id, part.part)
  if part.has_file then redis.call('HSET', job, 'has_file', 1) end
  save_text(job, part)
end

-- Keep what was seen of an album, for when somebody asks for something with it.
local function save_album_part(keys, part, ttl)
  redis.call('HSET', keys.album, 'part:' .. part.message_id, part.part)
  redis.call('EXPIRE', keys.album, ttl.album_s)
end

-- An album is refused as a whole: remove its earlier parts from their job, or cancel a job that has no others.
local function take_back_album(keys, job)
  local ids, has_others = {}, false
  for _, field in ipairs(redis.call('HKEYS', job)) do
    local id = string.match(field, '^part:(.+)$')
    if id and redis.call('HEXISTS', keys.album, field) == 1 then
      table.insert(ids, id)
    elseif id then
      has_others = true
    end
  end
  if not has_others then return redis.call('HSET', job, 'cancel_requested', 1, 'taken_back', 1) end
  for _, id in ipairs(ids) do redis.call('HDEL', job, 'part:' .. id, 'text:' .. id) end
  redis.call('HINCRBY', job, 'version', 1)
end

-- Refuse an album: undo its earlier parts, and let later ones be refused for the same reason.
local function refuse_album(keys, part, job, refusal, ttl)
  save_album_part(keys, part, ttl)
  redis.call('HSET', keys.album, 'refusal', cjson.encode(refusal))
  if job then take_back_album(keys, job) end
end

local function add_part(keys, job, id, part, ttl)
  redis.call('HSET', job, 'part:' .. part.message_id, part.part)
  redis.call('HSET', job, 'last_part_at', part.now_s, 'last_sent_at', part.sent_at_s)
  redis.call('HSET', job, 'is_full', part.is_full and 1 or 0)
  if part.has_file then redis.call('HSET', job, 'has_file', 1) end
  if part.replied_id ~= '' then
    redis.call('HSETNX', job, 'part:' .. part.replied_id, part.replied_part)
    redis.call('HSET', job, 'has_file', 1)
  end
  redis.call('HINCRBY', job, 'part_count', 1)
  save_text(job, part)
  redis.call('SET', keys.latest_job, id, 'EX', ttl.latest_job_s)
  redis.call('SET', keys.job_of_message, id, 'EX', ttl.job_of_message_s)
  if part.album ~= '' then
    save_album_part(keys, part, ttl)
    redis.call('HSET', keys.album, 'job', id)
  end
end

-- Add all that was seen of an album so far to a job.
local function add_album(job, album, id, ttl)
  local fields = redis.call('HGETALL', album)
  for i = 1, #fields, 2 do
    local is_part = string.match(fields[i], '^part:')
    if is_part and redis.call('HSETNX', job, fields[i], fields[i + 1]) == 1 then
      redis.call('HSET', job, 'has_file', 1)
      redis.call('HINCRBY', job, 'version', 1)
    end
  end
  redis.call('HSET', album, 'job', id)
  redis.call('EXPIRE', album, ttl.album_s)
end

-- Whether a part outside of the job's albums belongs to it all the same: somebody sent both within a moment. Two
-- prompts are two jobs, and so are two messages of text, unless the first is full and the second goes on with it.
local function is_adjacent(job, part)
  local fields = redis.call('HMGET', job, 'last_sent_at', 'has_prompt', 'has_file', 'part_count', 'is_full')
  local last_sent_at, has_prompt, has_file, part_count, is_full = unpack(fields)
  if not last_sent_at then return false end
  if math.abs(tonumber(part.sent_at_s) - tonumber(last_sent_at)) > ADJACENT_S then return false end
  if is_full == '1' then return tonumber(part_count) < MAX_PARTS end
  if part.kind == 'unaddressed' and not part.is_forwarded then return false end
  if part.has_prompt and has_prompt then return false end
  return (part.has_file or part.is_forwarded or has_file) and tonumber(part_count) < MAX_PARTS
end

-- Return where a part belongs, and the id of its job if it has one. Writes nothing.
--   'new'      it begins a request
--   'joined'   it belongs to a job that waits for more
--   'late'     its album's job takes no more: it begins a request, which knows that
--   'kept'     it asks for nothing; it is kept for a request with its album
--   'edited', 'same', 'unknown', 'started'
--              an edit of a part: before the job took it, without a change, of no known part, too late. A file can be
--              replaced until the upload of the job's files has begun
local function find_job(keys, part, job_prefix)
  if part.kind == 'edited' then
    local id = redis.call('GET', keys.job_of_message)
    if not id then return 'unknown' end
    local message_id = part.message_id
    local offered, text, stored, uploading = unpack(redis.call('HMGET', job_prefix .. id,
      'offered:' .. message_id, 'text:' .. message_id, 'part:' .. message_id, 'checkpoint:upload_started:files'))
    if not text then return 'unknown' end
    local file_unique_id = cjson.decode(stored).file_unique_id
    local known = offered or content_of(file_unique_id, text)
    if content_of(part.file_unique_id, part.text) == known then return 'same' end
    local is_too_late = uploading and part.file_unique_id ~= file_unique_id
    return find_open_job(job_prefix, id) and not is_too_late and 'edited' or 'started', id
  end
  if part.kind == 'begins' then return 'new' end
  local id = part.album ~= '' and redis.call('HGET', keys.album, 'job')
  if id and find_open_job(job_prefix, id) then return 'joined', id end
  if id and redis.call('EXISTS', job_prefix .. id) == 1 then return 'late', id end
  id = redis.call('GET', keys.latest_job)
  local job = find_open_job(job_prefix, id)
  if job and is_adjacent(job, part) then return 'joined', id end
  return part.kind == 'unaddressed' and 'kept' or 'new'
end
