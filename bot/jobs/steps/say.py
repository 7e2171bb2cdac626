"""Sending a text that a handler has prepared."""

from __future__ import annotations

from bot.jobs.payloads import SayPayload
from bot.jobs.worker.runner import Attempt


async def send_prepared(attempt: Attempt) -> None:
    """Send the text that the handler prepared."""
    await attempt.responder.send("said", attempt.job.payload_as(SayPayload).message)
