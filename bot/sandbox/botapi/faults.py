"""Fault switches of the control API's Python client."""

from dataclasses import dataclass
from typing import Any, Literal

from bot.sandbox.botapi.journal import FILE_DOWNLOAD
from bot.sandbox.botapi.transport import Transport

When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Hold:
    """A fault that holds calls until they are released."""

    transport: Transport
    id: int

    async def reached(self, waiting: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until a number of calls are held.

        Raises:
            TimeoutError: Fewer calls came in time.
        """
        values = {"id": self.id, "waiting": waiting, "timeout_s": timeout_s}
        found = await self.transport.ask("faults", values)
        if found[0]["waiting"] < waiting:
            raise TimeoutError(f"{found[0]['waiting']} of {waiting} calls are held")

    async def release(self, *, drop: bool = False) -> None:
        """Let the held calls continue, or close their connections."""
        await self.transport.ask("release", {"id": self.id, "drop": drop})


class Faults:
    """Switches for faults; each takes method names, none meaning all methods.

    Args:
        transport: The connection to the stand-in.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _on(self, methods: tuple[str, ...], **options: Any) -> int:
        values = {"methods": list(methods), **options}
        # ``None`` means "for good" here, while elsewhere it means "not given".
        if values.get("times", 1) is None:
            values["times"] = -1
        return int((await self._transport.ask("fault", values))["id"])

    async def error(
        self,
        *methods: str,
        code: int,
        description: str,
        retry_after: int = 0,
        times: int | None = 1,
        when: When = "before",
        chat_id: int | str = "",
    ) -> int:
        """Fail the next ``times`` calls (``None``: for good), with ``when="after"`` once they took effect."""
        options = {"error_code": code, "description": description, "retry_after": retry_after}
        return await self._on(
            methods, action="error", times=times, when=when, chat_id=str(chat_id), **options
        )

    async def delay(self, *methods: str, s: float, when: When = "before", times: int | None = 1) -> int:
        """Delay the answer, by the stand-in's clock."""
        return await self._on(methods, action="delay", delay_s=s, when=when, times=times)

    async def drop(self, *methods: str, when: When = "before", times: int | None = 1) -> int:
        """Close the connection, before or after the call took effect."""
        return await self._on(methods, action="drop", when=when, times=times)

    async def hold(self, *methods: str, when: When = "before", times: int | None = 1) -> Hold:
        """Hold calls until they are released, before or after they took effect."""
        return Hold(self._transport, await self._on(methods, action="hold", when=when, times=times))

    async def cut_download(self, after_bytes: int, times: int | None = 1) -> int:
        """Cut file downloads off."""
        return await self._on((FILE_DOWNLOAD,), action="cut", after_bytes=after_bytes, times=times)

    async def slow_download(self, bytes_per_s: float, times: int | None = 1) -> int:
        """Throttle file downloads."""
        return await self._on((FILE_DOWNLOAD,), action="slow", bytes_per_s=bytes_per_s, times=times)

    async def lose_file(self, file_id: str) -> None:
        """Delete a file's content."""
        await self._transport.ask("lose_file", {"file_id": file_id})

    async def clear(self) -> None:
        """Remove all faults."""
        await self._transport.ask("clear_faults", {})
