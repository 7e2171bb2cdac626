"""What is told of files that came without words: what was understood, and what could be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.jobs.messages import Bytes, ListMessage, LocalizedMessage, Param, Seconds
from bot.jobs.model import Attachment
from bot.jobs.next_steps import first_buttons
from bot.jobs.payloads import EditPayload
from bot.jobs.worker.runner import Attempt
from bot.skills import Card

MOST_FILES = 10
"""Told one by one."""

_KINDS = {
    "video": "video",
    "animation": "video",
    "video_note": "video",
    "photo": "image",
    "audio": "audio",
    "voice": "audio",
}
"""Of what Telegram calls them."""


async def ask_for_prompt(attempt: Attempt, card: Card) -> None:
    """Tell what came, and ask what is to be done with it."""
    uploaded = attempt.get_value("uploaded") or {}
    known: Mapping[str, Any] = uploaded.get("files") or {}
    files = [file for file in attempt.job.files if not known or file.file_id in known]
    links = attempt.job.payload_as(EditPayload).links
    if attempt.job.payload_as(EditPayload).is_late:
        await attempt.responder.send("received", LocalizedMessage("upload.late", {"n": max(1, len(files))}))
    elif files:
        told = [_told(file, known.get(file.file_id) or {}) for file in files]
        buttons = first_buttons(card, [(kind, facts) for kind, facts, _ in told])
        notices = [notice for _, _, notice in told]
        if len(files) == 1:
            message = ListMessage(LocalizedMessage("upload.received", {"file": notices[0]}), (), buttons)
        else:
            size = Bytes(sum(int(facts.get("size") or 0) for _, facts, _ in told))
            lines = tuple(
                LocalizedMessage("upload.received_line", {"file": notice}) for notice in notices[:MOST_FILES]
            )
            heading = LocalizedMessage("upload.received_several", {"n": len(files), "size": size})
            message = ListMessage(heading, lines, buttons)
        await attempt.responder.send("received", message)
    elif links:
        await attempt.responder.send("received", LocalizedMessage("upload.received_links", {"n": len(links)}))
    else:
        # An answer to what the project has already, without a request; or the words of a request were edited away.
        is_answer = bool((await attempt.gathered()).job.files)
        await attempt.responder.send(
            "received", LocalizedMessage("upload.known" if is_answer else "edit.how")
        )


def _told(file: Attachment, answered: Mapping[str, Any]) -> tuple[str, dict[str, Any], LocalizedMessage]:
    """A file's kind, what is known of it by NemoVideo or else by Telegram, and a line that tells it."""
    facts: dict[str, Any] = {
        "duration_s": answered.get("duration_s") or file.duration_s,
        "width": answered.get("width") or file.width,
        "height": answered.get("height") or file.height,
        "size": answered.get("size") or file.size or 0,
    }
    kind = _kind(file, str(answered.get("kind") or ""))
    params: dict[str, Param] = {"size": Bytes(facts["size"])}
    parts = [f"file.{kind}"]
    if kind != "image" and facts["duration_s"]:
        params["duration"] = Seconds(facts["duration_s"])
        parts.append("long")
    if kind != "audio" and facts["width"] and facts["height"]:
        params |= {"width": str(facts["width"]), "height": str(facts["height"])}
        parts.append("sized")
    notice = LocalizedMessage("_".join(parts), params)
    # A name that we made up for want of one tells nobody anything.
    if not file.name.startswith(f"{file.kind}_"):
        # As NemoVideo knows it: its ending tells what it is.
        name = str(answered.get("name") or file.name)
        notice = LocalizedMessage("file.named", {"name": name, "facts": notice})
    return kind, facts, notice


def _kind(file: Attachment, answered: str) -> str:
    for kind in ("video", "image", "audio"):
        if answered.startswith(kind) or (not answered and file.content_type.startswith(kind)):
            return kind
    return _KINDS.get(file.kind, "video")
