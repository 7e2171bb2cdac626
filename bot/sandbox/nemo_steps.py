"""Play and check a conversation's steps about NemoVideo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from bot.sandbox.conversation import NemoStep, Uploaded
from bot.sandbox.expectations import SECONDS_TOLERANCE
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.requests import LoggedRequest
from bot.sandbox.nemovideo.scripts import NAMED
from bot.sandbox.stage import LOOK_AGAIN_S, Unmet


async def play_nemo(nemo: NemoControl, step: NemoStep) -> None:
    """Set the stand-in up as a step says, and check what the step expects of it.

    Raises:
        Unmet: An expectation didn't hold in time.
    """
    if step.switches:
        await nemo.set(**step.switches)
    if step.script is not None:
        script = NAMED[step.script](**step.args) if isinstance(step.script, str) else step.script
        await nemo.script(script)
    if step.fault:
        await nemo.fault(**step.fault)
    if step.hold is not None:
        await nemo.hold(step.hold)
    if step.reached is not None:
        match: dict[str, object] = {"endpoint": step.reached, "reached": "*", "released": False}
        await nemo.wait("holds", match=match, timeout_s=step.within_s)
    if step.release:
        await nemo.release()
    if step.forget_sessions:
        for session in await nemo.sessions():
            await nemo.drop_session(session.id)
    if step.accounts:
        for account in await nemo.accounts():
            await nemo.change_account(account.user_id, **step.accounts)
    await _check(nemo, step)


def _is_accepted_upload(request: LoggedRequest) -> bool:
    return request.endpoint == "upload" and request.status == httpx.codes.OK


async def _check(nemo: NemoControl, step: NemoStep) -> None:
    wanted = {name: value for name in _COUNTS if (value := getattr(step, name)) is not None}
    ends_s = time.monotonic() + step.within_s
    while True:
        found = {name: count(await listed(nemo)) for name in wanted for listed, count in [_COUNTS[name]]}
        wrong = [name for name, value in wanted.items() if not _is_as(found[name], value)]
        if not wrong:
            return
        if time.monotonic() >= ends_s:
            raise Unmet(
                "; ".join(f"expected NemoVideo's {n} to be {wanted[n]!r}, it is {found[n]!r}" for n in wrong)
            )
        await asyncio.sleep(LOOK_AGAIN_S)


_COUNTS: dict[str, tuple[Callable[[NemoControl], Awaitable[list[Any]]], Callable[[list[Any]], object]]] = {
    "messages": (NemoControl.messages, len),
    "last_message": (NemoControl.messages, lambda found: found[-1].text if found else None),
    "charged": (NemoControl.charges, lambda found: sum(charge.credits for charge in found)),
    "renders": (NemoControl.renders, len),
    "last_render": (NemoControl.renders, lambda found: found[-1].status if found else None),
    "uploads": (NemoControl.uploads, len),
    "upload_requests": (NemoControl.requests, lambda found: sum(map(_is_accepted_upload, found))),
    "last_upload": (NemoControl.uploads, lambda found: found[-1] if found else None),
    "sessions": (NemoControl.sessions, len),
}
"""What NemoVideo was asked for so far, by the names of `NemoStep`: a list of the stand-in's, and what counts in it."""


def _is_as(found: Any, wanted: Any) -> bool:
    """Return whether a value is as expected.

    A text is expected as a part, and of an upload only the fields that are given count.
    """
    if isinstance(wanted, str):
        return found is not None and wanted in found
    if not isinstance(wanted, Uploaded):
        return bool(found == wanted)
    if found is None or (wanted.name is not None and wanted.name not in found.name):
        return False
    facts = {"kind": found.kind, "width": found.probe.width, "height": found.probe.height}
    named = wanted.model_dump(include=set(facts), exclude_none=True)
    is_long = wanted.seconds is None or abs(found.probe.duration_s - wanted.seconds) <= SECONDS_TOLERANCE
    return is_long and all(facts[name] == value for name, value in named.items())
