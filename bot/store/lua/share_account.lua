-- Move the account and the settings of a chat's topics to the chat.
--
-- Guarantee: done at once for each chat, and only once: afterwards no topic has such fields, and what a running process
-- of this release writes is left as it is.
--
-- KEYS: chat, its topics
-- Argument: epoch
local chat = KEYS[1]
local args = cjson.decode(ARGV[1])

local GUEST = {'client_id', 'token', 'user_id', 'token_expires_at'}
local OTHERS = {'own_token', 'language', 'auto_export', 'send_as_file', 'shrink_results', 'replace_results', 'greeted'}

-- Every write sets the same lifetime: what lives longest was used last.
local age = {}
for _, key in ipairs(KEYS) do age[key] = redis.call('PTTL', key) end
local by_use = {unpack(KEYS)}
table.sort(by_use, function(one, other) return age[one] > age[other] end)

local function latest_with(field)
  for _, key in ipairs(by_use) do
    if redis.call('HEXISTS', key, field) == 1 then return key end
  end
end

local moved, projects = {}, {}
local guest = latest_with('token') or latest_with('client_id')
if guest then
  for _, field in ipairs(GUEST) do moved[field] = redis.call('HGET', guest, field) end
end
for _, field in ipairs(OTHERS) do
  local key = latest_with(field)
  if key then moved[field] = redis.call('HGET', key, field) end
end
for _, key in ipairs(KEYS) do
  local account, client_id = unpack(redis.call('HMGET', key, 'account', 'client_id'))
  projects[key] = account == 'own' or (account == 'anonymous' and client_id == moved.client_id)
end

local is_old = (moved.client_id or moved.own_token) and redis.call('HEXISTS', chat, 'account_epoch') == 0
for index = 2, #KEYS do
  for _, fields in ipairs({GUEST, OTHERS, {'export_refused_at'}}) do
    if redis.call('HDEL', KEYS[index], unpack(fields)) > 0 then is_old = true end
  end
end
if not is_old then return end

redis.call('HDEL', chat, unpack(GUEST))
for field, value in pairs(moved) do
  if value then redis.call('HSET', chat, field, value) end
end
if moved.client_id or moved.own_token then
  redis.call('HSETNX', chat, 'account_epoch', args.epoch)
  local epoch = redis.call('HGET', chat, 'account_epoch')
  -- The project of another guest account stays without: its topic is told so at its next request.
  for _, key in ipairs(KEYS) do
    if projects[key] then redis.call('HSET', key, 'project_epoch', epoch) end
  end
end
if age[by_use[1]] > 0 then redis.call('PEXPIRE', chat, age[by_use[1]]) end
