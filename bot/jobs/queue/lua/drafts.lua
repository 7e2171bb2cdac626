-- Functions for the drafts that a job keeps while it runs.

-- Forget the drafts of a job that has ended: they are large, and what others want to know of them is in other checkpoints.
local function forget_drafts(job)
  for _, field in ipairs(redis.call('HKEYS', job)) do
    if string.find(field, 'checkpoint:draft:', 1, true) == 1 then redis.call('HDEL', job, field) end
  end
end
