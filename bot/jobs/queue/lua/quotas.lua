-- Functions that charge a job to the day's quotas, so that a job and its charge are one write.
--
-- A quota is a hash of what a person or a chat used on one day: requests, bytes. A charge comes from Python (quotas.py):
--   job_key, requests, bytes, quotas (each: key, scope, requests, bytes; a limit of 0 is none),
--   totals_key, people_key, person_id, ttl_s
-- The job's field 'charge' keeps what it costs so far: requests, bytes (left out if 0), quota_keys, totals_key.
--
-- The keys of a person lie beside those of a chat: all of them need one server, which a cluster is not.

-- Return the answer of a script that is refused, or nil.
local function find_exceeded_quota(charge)
  for _, quota in ipairs(charge.quotas) do
    for _, resource in ipairs({'requests', 'bytes'}) do
      local limit = quota[resource]
      local left = limit - tonumber(redis.call('HGET', quota.key, resource) or '0')
      if limit > 0 and charge[resource] > left then
        return {'quota_exceeded', quota.scope, resource, math.max(left, 0)}
      end
    end
  end
end

local function load_charge(job)
  local text = redis.call('HGET', job, 'charge')
  local charge = text and cjson.decode(text)
  if charge then charge.bytes = charge.bytes or 0 end
  return charge
end

local function save_charge(job, charge)
  if charge.bytes == 0 then charge.bytes = nil end
  redis.call('HSET', job, 'charge', cjson.encode(charge))
end

-- A job that grows by a part may count as a request already.
local function counts_as_request(job)
  local charge = load_charge(job)
  return charge and charge.requests > 0
end

-- Charge a job. Return a warning {scope, resource, left} for each quota that falls to a fifth of its limit, or to one.
local function charge_job(charge)
  local warnings, quota_keys = {}, {}
  local before = load_charge(charge.job_key) or {requests = 0, bytes = 0}
  for _, quota in ipairs(charge.quotas) do
    for _, resource in ipairs({'requests', 'bytes'}) do
      local limit, cost = quota[resource], charge[resource]
      local left = limit - redis.call('HINCRBY', quota.key, resource, cost)
      local threshold = math.max(1, math.floor(limit / 5))
      if limit > 0 and left <= threshold and left + cost > threshold then
        table.insert(warnings, {quota.scope, resource, left})
      end
    end
    redis.call('EXPIRE', quota.key, charge.ttl_s)
    table.insert(quota_keys, quota.key)
  end
  redis.call('HINCRBY', charge.totals_key, 'requests', charge.requests)
  redis.call('HINCRBY', charge.totals_key, 'bytes', charge.bytes)
  redis.call('EXPIRE', charge.totals_key, charge.ttl_s)
  redis.call('ZINCRBY', charge.people_key, charge.requests, charge.person_id)
  redis.call('EXPIRE', charge.people_key, charge.ttl_s)
  save_charge(charge.job_key, {
    requests = before.requests + charge.requests,
    bytes = before.bytes + charge.bytes,
    quota_keys = #quota_keys > 0 and quota_keys or nil,
    totals_key = charge.totals_key,
  })
  return warnings
end

-- A key that is gone was of an earlier day.
local function increase_if_exists(key, resource, by)
  if redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, resource, by) end
end

local function correct_quotas(charge, resource, by)
  for _, key in ipairs(charge.quota_keys or {}) do increase_if_exists(key, resource, by) end
end

-- A file that came without a prompt became a request by an edit.
local function charge_request(job)
  local charge = load_charge(job)
  if not charge or charge.requests > 0 then return end
  correct_quotas(charge, 'requests', 1)
  charge.requests = 1
  save_charge(job, charge)
end

local function correct_bytes(job, bytes)
  local charge = load_charge(job)
  if not charge then return end
  correct_quotas(charge, 'bytes', bytes - charge.bytes)
  increase_if_exists(charge.totals_key, 'bytes', bytes - charge.bytes)
  charge.bytes = bytes
  save_charge(job, charge)
end

-- Refund what an ended job cost, unless one of the fields says that something of it went to NemoVideo.
local function refund_charge(job, state, fields_of_sent)
  local charge = load_charge(job)
  if not charge then return end
  local was_sent = false
  for _, field in ipairs(fields_of_sent) do
    was_sent = was_sent or redis.call('HEXISTS', job, field) == 1
  end
  if not was_sent then
    correct_quotas(charge, 'requests', -charge.requests)
    correct_quotas(charge, 'bytes', -charge.bytes)
  end
  increase_if_exists(charge.totals_key, state, 1)
  redis.call('HDEL', job, 'charge')
end
