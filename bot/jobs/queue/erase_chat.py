"""Erasing all that is kept of a chat, in one write, and never what came after it was asked for."""

from __future__ import annotations

from redis.asyncio import Redis

from bot.jobs.model import QueueName
from bot.jobs.queue.job_queue import ClaimedJob
from bot.store import keys

_ERASE = """
-- KEYS: own job, slot of questions, then per lane: list, slot.
-- ARGV: attempt, prefix of job keys, key of message numbers, those given up, the chat, then what to erase.
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
if redis.call('HEXISTS', KEYS[1], 'saved:erased') == 1 then return 1 end
-- A question that is being answered may set up an account, and would write the chat back.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local spared = {[KEYS[1]] = true}
-- What tells to which job a message, a sender or an album belongs goes with that job.
local function is_spared(name)
  if spared[name] then return true end
  local kind, id = redis.call('TYPE', name).ok, nil
  if kind == 'string' then id = redis.call('GET', name) end
  if kind == 'hash' then id = redis.call('HGET', name, 'job') end
  return id and spared[ARGV[2] .. id]
end
for i = 3, #KEYS, 2 do
  spared[KEYS[i]], spared[KEYS[i + 1]] = true, true
  for _, id in ipairs(redis.call('LRANGE', KEYS[i], 0, -1)) do spared[ARGV[2] .. id] = true end
  local running = redis.call('HGET', KEYS[i + 1], 'job')
  if running then spared[ARGV[2] .. running] = true end
end
for _, entry in ipairs(redis.call('LRANGE', ARGV[4], 0, -1)) do
  if cjson.decode(entry).chat == ARGV[5] then redis.call('LREM', ARGV[4], 0, entry) end
end
for i = 6, #ARGV do
  if not is_spared(ARGV[i]) then
    -- Of message numbers the newest stays: without it a send that is looked for would be taken for older messages.
    if ARGV[i] == ARGV[3] then
      redis.call('ZREMRANGEBYRANK', ARGV[i], 0, -2)
    else
      redis.call('DEL', ARGV[i])
    end
  end
end
redis.call('HSET', KEYS[1], 'saved:erased', 'true')
return 1
"""


class ChatEraser:
    """Erases chats.

    Args:
        redis: Where everything is.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._erase = redis.register_script(_ERASE)

    async def erase(self, claimed: ClaimedJob) -> bool:
        """Erase the chat of a job that runs in its lane of edits, but for the job itself and those that wait.

        Once for each job, however often it starts: what came later stays.

        Returns:
            ``False`` when it has to be tried again: a question is being answered just now.
        """
        chat = claimed.job.chat
        names = [name async for name in self._redis.scan_iter(keys.chat_pattern(str(chat)), count=1000)]
        own = keys.job_key(str(chat), claimed.job.id)
        job_queue = [name(str(chat), queue) for queue in QueueName for name in (keys.lane_key, keys.slot_key)]
        gone = [name for name in names if not name.startswith(keys.KEPT_WHEN_FORGOTTEN)]
        return bool(
            await self._erase(
                keys=[own, keys.slot_key(str(chat), QueueName.QUICK), *job_queue],
                args=[
                    claimed.attempt,
                    keys.job_key(str(chat), ""),
                    keys.message_numbers_key(str(chat)),
                    keys.GIVEN_UP,
                    str(chat),
                    *gone,
                ],
            )
        )
