-- Claim the right to send the message that shows a waiting job's position.
--
-- Guarantee: one process sends it, and only while the job waits: a job that has begun has a progress message already.
-- Races: the second process, and the one that comes after the job began, get 0.
--
-- KEYS: job
-- Answer: 1 or 0
local job = KEYS[1]

if redis.call('HGET', job, 'state') ~= 'queued' then return 0 end
return redis.call('HSETNX', job, 'position_message_claimed', 1)
