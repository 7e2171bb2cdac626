"""A client that sends the commands of one moment together, so that whoever runs several side by side waits once.

redis-py does so in a pipeline only, which one task has to fill.
"""

import asyncio
from typing import Any

from redis.asyncio import Redis

from bot.runtime.tasks import cancel


class BatchingRedis(Redis):
    """Sends what all tasks have asked for in one turn of the event loop in one write, in the order of asking.

    ``await asyncio.gather(redis.get(…), script(…))`` is one round trip. Each caller gets its own answer or error. Who
    is cancelled takes no answer; the command runs all the same, as it may whenever it was sent. Pipelines and pub/sub
    have connections of their own. No command may block: it would hold up those beside it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[tuple[tuple[Any, ...], dict[str, Any], asyncio.Future[Any]]] = []
        self._batches: set[asyncio.Task[None]] = set()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the client, and end the commands whose callers are gone: each could open a connection afterwards."""
        if self._waiting:
            await asyncio.sleep(
                0
            )  # Their batch's task is made in this turn of the loop, and would be left over.
        await cancel(*self._batches)
        waiting, self._waiting = self._waiting, []
        for _, _, answer in waiting:  # That task hasn't begun, so nobody has taken them over.
            answer.cancel()
        await super().aclose(close_connection_pool)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command with those that are asked for in the same turn of the loop."""
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((args, options, answer))
        if len(self._waiting) == 1:
            loop.call_soon(self._start_batch)
        return await answer

    def _start_batch(self) -> None:
        batch = asyncio.create_task(self._send(), name="redis:batch")
        self._batches.add(batch)
        batch.add_done_callback(self._batches.discard)

    async def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            if len(waiting) == 1:
                args, options, _ = waiting[0]
                answers = [await super().execute_command(*args, **options)]  # type: ignore[no-untyped-call]
            else:
                async with self.pipeline(transaction=False) as pipe:
                    for args, options, _ in waiting:
                        pipe.execute_command(*args, **options)
                    answers = await pipe.execute(raise_on_error=False)
        except Exception as error:
            answers = [error] * len(waiting)
        except asyncio.CancelledError:
            for _, _, future in waiting:
                future.cancel()
            raise
        for (_, _, future), answer in zip(waiting, answers, strict=True):
            if future.done():
                continue  # Its caller was cancelled.
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
