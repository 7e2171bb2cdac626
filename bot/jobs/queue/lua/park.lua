-- Give a started job back, to be taken up again by any ticket.
--
-- Guarantee: only the ticket that has the job gives it back; the job stays the next one of its queue.
-- Races: a ticket that lost the job to another one changes nothing.
--
-- KEYS: job, running job of its queue
-- Argument: ticket, is_counted (whether this start counts against the job)
-- Answer: 1, or 0 if the ticket doesn't have the job
local job, running = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1])

if redis.call('HGET', running, 'ticket') ~= args.ticket then return 0 end
redis.call('HSET', running, 'ticket', '')
if not args.is_counted then redis.call('HINCRBY', job, 'uncounted_attempts', 1) end
return 1
