-- Store what an update asks for: its jobs, its part of a request, what they cost, and the mark of the update.
--
-- Guarantee: an update is taken once; mark, jobs, part and charge are one write, or nothing is written.
-- Races: of two processes with the same update the second gets 'repeated'. A part that comes while a job is closed
-- either joins it, and the one who closes it has to look again, or begins a job of its own.
--
-- KEYS: update mark, album, latest job, job of message, replied album, all waiting jobs, queues in use,
--   waiting jobs of the person, pause mark, version of the store's data
-- Argument: schema, update_ttl_s, now_s, job_prefix, total_limit, ttl (album_s, latest_job_s, job_of_message_s, waiting_of_s),
--   jobs (each: id, key, queue, queue_key, request, language, queue_limit, person_limit, takes_part, is_main, is_edit,
--   holds_request),
--   charge (see quotas.lua) and part (see album.lua), both only if there is one
-- Answer: {'new' or 'repeated', quotas of which little is left, whether there is a pause mark, jobs stored in main
--   queues}, {'queue_full'}, {'person_full'}, {'bot_full'}, {'quota_exceeded', scope, resource, left}, or {'newer', version} if
--   a later release has migrated the store, which is to have the update
-- Needs: quotas.lua, album.lua
local update_mark, waiting, queues, waiting_of, paused = KEYS[1], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local keys = {album = KEYS[2], latest_job = KEYS[3], job_of_message = KEYS[4], replied_album = KEYS[5]}
local args = cjson.decode(ARGV[1])
local charge, part, ttl = args.charge, args.part, args.ttl

local version = redis.call('GET', KEYS[10])
if version and tonumber(version) > args.schema then return {'newer', version} end

-- Count the person's waiting jobs. Those that began or ended since are dropped here, if there seem to be enough.
local function count_waiting_of(enough)
  if redis.call('SCARD', waiting_of) >= enough then
    for _, job in ipairs(redis.call('SMEMBERS', waiting_of)) do
      local is_queued = redis.call('HGET', job, 'state') == 'queued'
      if not is_queued then redis.call('SREM', waiting_of, job) end
    end
  end
  return redis.call('SCARD', waiting_of)
end

local known = redis.call('GET', update_mark)
if known then return {'repeated', known, redis.call('EXISTS', paused), 0} end
if part and part.album ~= '' then
  local refusal = redis.call('HGET', keys.album, 'refusal')
  if refusal then
    save_album_part(keys, part, ttl)
    return cjson.decode(refusal)
  end
end

local verdict, old_id = 'new', nil
if part then verdict, old_id = find_job(keys, part, args.job_prefix) end
local old_job = old_id and args.job_prefix .. old_id
local needs_no_job = {joined = true, edited = true, kept = true, same = true, unknown = true}

-- Beside the job that a part joins, an update may bring others, such as a word of what is wrong with its file. What is
-- wrong with a refused part is said by the job that it joins.
local brings_others = verdict == 'joined' and part.kind ~= 'refused'
local jobs, main_jobs = {}, {}
for _, job in ipairs(args.jobs) do
  if not needs_no_job[verdict] or (brings_others and not job.takes_part) then
    table.insert(jobs, job)
    if job.is_main then table.insert(main_jobs, job) end
    if redis.call('LLEN', job.queue_key) >= job.queue_limit then return {'queue_full'} end
  end
end
if #main_jobs > 0 then
  local person_limit, count = main_jobs[1].person_limit, redis.call('ZCARD', waiting) + #main_jobs
  if count_waiting_of(person_limit) >= person_limit then return {'person_full'} end
  -- The last tenth is reserved for people without a waiting job.
  local is_scarce = count > args.total_limit - math.floor(args.total_limit / 10)
  if count > args.total_limit or (is_scarce and count_waiting_of(1) > 0) then return {'bot_full'} end
end

local was_asked = verdict == 'late' and redis.call('HEXISTS', old_job, 'has_prompt') == 1
if charge then
  -- A new project that holds its request is free: the request is charged in its own topic.
  local joins_edit = verdict == 'joined' and redis.call('HEXISTS', old_job, 'is_edit') == 1
  if joins_edit then
    charge.job_key = old_job
  elseif needs_no_job[verdict] then
    charge = nil
  end
  -- A request counts once, however many of its parts have a text.
  if charge and (was_asked or counts_as_request(charge.job_key)) then charge.requests = 0 end
end
-- The first pictures of an album may come without the caption, which begins a project: they belong to it, too.
local album_job = verdict == 'joined' and old_job
if part and part.kind == 'begins' and part.album ~= '' then
  local before = find_open_job(args.job_prefix, redis.call('HGET', keys.album, 'job'))
  if before and redis.call('HEXISTS', before, 'has_prompt') == 0 then album_job = before end
end
local refusal = charge and find_exceeded_quota(charge)
if refusal then
  if part and part.album ~= '' then refuse_album(keys, part, album_job, refusal, ttl) end
  return refusal
end

if album_job and part.kind == 'begins' then take_back_album(keys, album_job) end
for _, job in ipairs(jobs) do
  redis.call('HSET', job.key, 'request', job.request, 'state', 'queued')
  if job.language then redis.call('HSET', job.key, 'language', job.language) end
  if job.is_edit then redis.call('HSET', job.key, 'is_edit', 1) end
  if job.holds_request then redis.call('HSET', job.key, 'holds_request', 1) end
  if job.is_answer then redis.call('HSET', job.key, 'is_answer', 1) end
  -- What waits for the answer stays behind it.
  redis.call(job.is_answer and 'LPUSH' or 'RPUSH', job.queue_key, job.id)
  redis.call('ZADD', queues, 'NX', args.now_s, job.queue)
  if job.takes_part then
    add_part(keys, job.key, job.id, part, ttl)
    if verdict == 'late' then redis.call('HSET', job.key, 'is_late', 1) end
    if was_asked then redis.call('HSET', job.key, 'was_asked', 1) end
    if verdict == 'new' and part.album ~= '' then add_album(job.key, keys.album, job.id, ttl) end
    if part.replied_album ~= '' then add_album(job.key, keys.replied_album, job.id, ttl) end
  end
end
if part and part.kind == 'refused' and verdict == 'new' and not part.has_prompt then
  -- Words that were sent right behind it are about it; nothing joins its job.
  redis.call('HSET', jobs[1].key, 'closed', 1, 'refused', 1, 'last_sent_at', part.sent_at_s)
  redis.call('SET', keys.latest_job, jobs[1].id, 'EX', ttl.latest_job_s)
end
for _, job in ipairs(main_jobs) do
  redis.call('ZADD', waiting, args.now_s, job.key)
  redis.call('SADD', waiting_of, job.key)
  redis.call('EXPIRE', waiting_of, ttl.waiting_of_s)
end
if verdict == 'joined' then add_part(keys, old_job, old_id, part, ttl) end
if verdict == 'started' then redis.call('HSET', old_job, 'offered:' .. part.message_id, content_of(part.file_unique_id, part.text)) end
if verdict == 'edited' then
  save_edited_part(old_job, part)
  if part.album ~= '' then save_album_part(keys, part, ttl) end
  if part.has_prompt then charge_request(old_job) end
end
if verdict == 'kept' and part.album ~= '' then save_album_part(keys, part, ttl) end
local warnings = charge and charge_job(charge) or {}
-- cjson writes an empty table as an object.
warnings = #warnings > 0 and cjson.encode(warnings) or '[]'
redis.call('SET', update_mark, warnings, 'EX', args.update_ttl_s)
return {'new', warnings, redis.call('EXISTS', paused), #main_jobs}
