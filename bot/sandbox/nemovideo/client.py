"""A client of the control API, for tests and for the sandbox's page.

```python
async with NemoControl(url) as nemo:
    account = await nemo.add_account(credits=1000)
    await nemo.script(scripts.silent_edit("trim to 3 seconds"))
    hold = await nemo.hold("render", "answer")
    await nemo.wait("holds", match={"id": hold.id, "reached": 1})
    await nemo.release(hold)
```
"""

import ssl
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from bot.sandbox.nemovideo.accounts import Account, Charge, Plan
from bot.sandbox.nemovideo.control import read
from bot.sandbox.nemovideo.drafts import Draft
from bot.sandbox.nemovideo.faults import Fault, Hold, Point
from bot.sandbox.nemovideo.media import Upload
from bot.sandbox.nemovideo.render import Render
from bot.sandbox.nemovideo.requests import LoggedRequest
from bot.sandbox.nemovideo.scripts import Script
from bot.sandbox.nemovideo.sessions import Message, Session
from bot.sandbox.nemovideo.settings import Settings

T = TypeVar("T")

Listed = Literal[
    "accounts", "sessions", "messages", "charges", "uploads", "renders", "requests", "faults", "holds"
]


class NemoControl:
    """Switches the stand-in's behaviours and reads what it was asked.

    Args:
        url: The stand-in's address.
    """

    def __init__(self, url: str) -> None:
        # A context without certificates: the address is plain http, and loading them takes a tenth of a second.
        self._http = httpx.AsyncClient(
            base_url=f"{url}/control/",
            timeout=None,  # noqa: S113 - waits end by their own timeout
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    async def __aenter__(self) -> Self:
        """Open it."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self._http.aclose()

    async def settings(self) -> Settings:
        """The switches as they are."""
        return read(Settings, await self._call("GET", "settings"))

    async def set(self, **changes: object) -> Settings:
        """Change switches.

        Args:
            changes: Names and values of `Settings`; ``pace`` may be a dict with a part of it.
        """
        return read(Settings, await self._call("PATCH", "settings", changes))

    async def move_clock(self, ahead_s: float) -> None:
        """Put the service's date so many seconds ahead of its clock: tokens expire."""
        await self._call("POST", "clock", {"ahead_s": ahead_s})

    async def reset(self) -> None:
        """Back to how it began: no faults, holds or scripts, first settings. What was asked stays."""
        await self._call("POST", "reset", {})

    async def add_account(
        self, *, credits: int = 1000, plan: Plan = "pro", token: str | None = None, may_render: bool = True
    ) -> Account:
        """Make a registered account, whose token an operator or user could hold.

        Args:
            credits: What it can spend.
            plan: What kind it is.
            token: Its token; made up without one.
            may_render: Whether its plan has the export.
        """
        body = {"credits": credits, "plan": plan, "token": token, "may_render": may_render}
        return read(Account, await self._call("POST", "accounts", body))

    async def change_account(self, user_id: str, **changes: object) -> Account:
        """Change an account's ``credits`` or ``may_render``, or let its token be ``expired``."""
        return read(Account, await self._call("PATCH", f"accounts/{user_id}", changes))

    async def set_draft(self, session_id: str, draft: Draft) -> None:
        """Put another draft into a session."""
        await self._call("PATCH", f"sessions/{session_id}", {"draft": draft})

    async def drop_session(self, session_id: str) -> None:
        """Forget a session: it is 1002 from now on."""
        await self._call("DELETE", f"sessions/{session_id}")

    async def script(self, steps: Script, *, session_id: str | None = None, times: int = 1) -> None:
        """Say what happens with the next message, see `scripts`.

        Args:
            steps: What is done.
            session_id: Only with a message to this session.
            times: How many messages get it; -1 is every one.
        """
        await self._call("POST", "scripts", {"steps": steps, "session_id": session_id, "times": times})

    async def fault(self, endpoint: str, **values: Any) -> Fault:
        """Say what goes wrong with the next requests.

        Args:
            endpoint: Its name in `requests.ENDPOINTS`.
            values: What `Fault` takes.
        """
        return read(Fault, await self._call("POST", "faults", {"endpoint": endpoint, **values}))

    async def clear_faults(self) -> None:
        """Nothing goes wrong any more."""
        await self._call("DELETE", "faults")

    async def hold(
        self, endpoint: str, point: Point = "before", *, after_bytes: int = 0, times: int = 1
    ) -> Hold:
        """Let requests stand still at a point until they are released.

        Args:
            endpoint: Its name in `requests.ENDPOINTS`; or a script's name for it, with the point ``work``.
            point: Where, see `faults`.
            after_bytes: How far into a body.
            times: How many requests stop there; -1 is every one.
        """
        body = {"endpoint": endpoint, "point": point, "after_bytes": after_bytes, "times": times}
        return read(Hold, await self._call("POST", "holds", body))

    async def reached(self, hold: Hold, timeout_s: float = 10.0) -> None:
        """Wait until a request stands at a hold.

        Raises:
            TimeoutError: None came.
        """
        await self.wait("holds", match={"id": hold.id, "reached": "*"}, timeout_s=timeout_s)

    async def release(self, hold: Hold | None = None) -> None:
        """Let go on what stands at a hold, or at all."""
        await self._call("POST", "holds/release", {"id": hold.id if hold else None})

    async def wait(
        self, what: Listed, count: int = 1, *, match: dict[str, object] | None = None, timeout_s: float = 10.0
    ) -> int:
        """Wait until so many things of a kind are there.

        Args:
            what: Which list.
            count: How many.
            match: Only those with these values; a list is any of them, ``"*"`` is anything but nothing,
                such as ``{"ended_at": "*"}`` for messages whose turns are over.
            timeout_s: Real seconds.

        Returns:
            How many there are.

        Raises:
            TimeoutError: They did not come.
        """
        body = {"what": what, "count": count, "match": match or {}, "timeout_s": timeout_s}
        answer = await self._call("POST", "wait", body)
        if not answer["held"]:
            raise TimeoutError(f"{answer['count']} of {count} {what} {match or ''} after {timeout_s} s")
        return int(answer["count"])

    async def accounts(self) -> list[Account]:
        """Everyone who may call."""
        return await self._list("accounts", Account)

    async def sessions(self) -> list[Session]:
        """All sessions with their drafts."""
        return await self._list("sessions", Session)

    async def messages(self) -> list[Message]:
        """Every message exactly as received."""
        return await self._list("messages", Message)

    async def charges(self) -> list[Charge]:
        """Everything that was paid for."""
        return await self._list("charges", Charge)

    async def uploads(self) -> list[Upload]:
        """Every file that was taken."""
        return await self._list("uploads", Upload)

    async def renders(self) -> list[Render]:
        """Every export, with how often it was asked for."""
        return await self._list("renders", Render)

    async def requests(self) -> list[LoggedRequest]:
        """The newest requests, without their tokens."""
        return await self._list("requests", LoggedRequest)

    async def faults(self) -> list[Fault]:
        """What goes wrong, and how often still."""
        return await self._list("faults", Fault)

    async def holds(self) -> list[Hold]:
        """Where requests stand still."""
        return await self._list("holds", Hold)

    async def _list(self, name: Listed, kind: type[T]) -> list[T]:
        return [read(kind, item) for item in await self._call("GET", name)]

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = await self._http.request(method, path, json=body)
        if answer.is_error:
            raise ValueError(answer.text)
        return answer.json()
