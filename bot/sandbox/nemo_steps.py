"""Play and check a conversation's steps about NemoVideo."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, fields
from typing import Any

import httpx

from bot.sandbox.conversation import NemoStep, Uploaded
from bot.sandbox.expectations import SECONDS_TOLERANCE
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.media import Upload
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


async def _check(nemo: NemoControl, step: NemoStep) -> None:
    ends_s = time.monotonic() + step.within_s
    while True:
        found = await _counts(nemo)
        wanted = {
            field.name: value for field in fields(found) if (value := getattr(step, field.name)) is not None
        }
        wrong = [name for name, value in wanted.items() if not _is_as(getattr(found, name), value)]
        if not wrong:
            return
        if time.monotonic() >= ends_s:
            raise Unmet(
                "; ".join(
                    f"expected NemoVideo's {n} to be {wanted[n]!r}, it is {getattr(found, n)!r}"
                    for n in wrong
                )
            )
        await asyncio.sleep(LOOK_AGAIN_S)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What NemoVideo was asked for so far, by the names of `NemoStep`."""

    messages: int
    last_message: str | None
    charged: int
    renders: int
    last_render: str | None
    uploads: int
    upload_requests: int
    last_upload: Upload | None
    sessions: int


async def _counts(nemo: NemoControl) -> _Counts:
    messages, renders = await nemo.messages(), await nemo.renders()
    uploads = await nemo.uploads()
    requests = [one for one in await nemo.requests() if one.endpoint == "upload"]
    return _Counts(
        messages=len(messages),
        last_message=messages[-1].text if messages else None,
        charged=sum(charge.credits for charge in await nemo.charges()),
        renders=len(renders),
        last_render=renders[-1].status if renders else None,
        uploads=len(uploads),
        upload_requests=len([one for one in requests if one.status == httpx.codes.OK]),
        last_upload=uploads[-1] if uploads else None,
        sessions=len(await nemo.sessions()),
    )


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
