"""Refusals of files by size or kind, for the active skill card or for Telegram, and files that Telegram lacks.

NemoVideo's refusals of a call, such as for too few credits, are in ``steps/service_errors.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from bot.jobs.buttons import Retry, RunSaved, ShowLink
from bot.jobs.messages import Button, Bytes, LocalizedMessage, Names, Param
from bot.jobs.model import Job
from bot.jobs.ports import FileGone, FilesUnreadable, FileUnavailable
from bot.media.kinds import alternatives, category_of, label_of
from bot.skills.cards import SkillCard


def kind_unusable(name: str, kind: str | None) -> LocalizedMessage:
    """Refuse a file of a kind that NemoVideo does not take, or that can't be opened.

    Args:
        name: Its name.
        kind: What it is (``kinds.kind_of``); ``None`` if unknown.
    """
    params: dict[str, Param] = {"name": name}
    if kind is not None:
        params |= {"kind": label_of(kind), "kinds": " / ".join(alternatives(kind))}
    return LocalizedMessage(f"error.unusable_{category_of(kind)}", params)


def named_in(said: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return which of some files a refusal names.

    Args:
        said: The refusal, in NemoVideo's words.
        names: The names of the files.
    """
    patterns = ((name, rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)") for name in names)
    return tuple(name for name, pattern in patterns if re.search(pattern, said, re.IGNORECASE))


def kind_refused(name: str, card: SkillCard) -> LocalizedMessage:
    """Refuse a file of a kind that NemoVideo takes and this card does not."""
    return LocalizedMessage(
        "error.file_type_card", {"name": name, "skill": card.display_name, "kinds": " ".join(card.file_kinds)}
    )


def with_request_kept(message: LocalizedMessage, job: Job) -> LocalizedMessage:
    """Make the buttons of a refusal refer to the job that has its request.

    Args:
        message: The refusal.
        job: The job with the request's text; without text, nothing is left to run.
    """
    buttons = []
    for button in message.buttons:
        match button.action:
            case ShowLink():
                buttons.append(replace(button, action=ShowLink(job.id)))
            case RunSaved():
                buttons += [replace(button, action=RunSaved(job.id))] if job.prompt else []
            case _:
                buttons.append(button)
    return replace(message, buttons=tuple(buttons))


def with_way_on(refusal: LocalizedMessage) -> LocalizedMessage:
    """Add the button that runs a request's words without its files, where the refusal has no button of its own."""
    is_of_file = refusal.key.startswith(("error.unusable_", "error.file_"))
    if refusal.buttons or not is_of_file:
        return refusal
    return replace(refusal, buttons=(Button("button.run_without_file", RunSaved("")),))


def link_refusal(message: LocalizedMessage, *, has_project: bool) -> LocalizedMessage:
    """Add the button that runs a request's words without what they came with; see `with_request_kept` for the job.

    Without a story or the like nothing is left that the words could be about, unless there is a project.

    Args:
        message: What is wrong with the links, or with what the message holds beside its words.
        has_project: Whether the chat has a project that the words may be about.
    """
    if not (has_project or message.key.startswith("link.")):
        return message
    label = "button.run_on_current" if has_project else "button.run_without_link"
    return replace(message, buttons=(Button(label, RunSaved("")),))


def size_limit(max_bytes: int, card: SkillCard) -> int:
    """Return the size of the largest file that is taken, in bytes: the smaller of the setting's and the card's."""
    return min(max_bytes, card.size_limit_bytes)


def size_refused(max_bytes: int, card: SkillCard) -> LocalizedMessage:
    """Refuse a file over that limit."""
    limit = Bytes(size_limit(max_bytes, card))
    if card.size_limit_bytes < max_bytes:
        return LocalizedMessage("error.file_too_large_card", {"skill": card.display_name, "limit": limit})
    return LocalizedMessage("error.file_too_large", {"limit": limit})


def telegram_refused(size: int | None, limit: int) -> LocalizedMessage:
    """Refuse a file over what Telegram hands out to bots, with the ways around it.

    Args:
        size: Bytes; ``None`` if Telegram doesn't say.
        limit: The limit, in bytes.
    """
    browser = Button("button.upload_in_browser", ShowLink())
    # Telegram may know better than the sender's client.
    is_known = size is not None and size > limit
    shown = Bytes(size or 0) if is_known else LocalizedMessage("size.more_than", {"size": Bytes(limit)})
    return LocalizedMessage(
        "error.file_too_large_telegram", {"size": shown, "limit": Bytes(limit)}, (browser,)
    )


def continues_without(*numbers: int) -> LocalizedMessage:
    """Return the line that says, below a refusal, that a request goes on with its other files.

    Args:
        numbers: Which of its files are left out, from 1.
    """
    files = Names(tuple(LocalizedMessage("clip.file", {"n": number}) for number in numbers))
    return LocalizedMessage("upload.goes_on", {"files": files})


def file_gone(job: Job, error: FileGone) -> LocalizedMessage:
    """Say that Telegram does not have a job's file, or not at the moment."""
    retry = Button("button.retry", Retry(job.id))
    if isinstance(error, FilesUnreadable):
        return LocalizedMessage("error.files_unreadable", buttons=(retry,))
    if isinstance(error, FileUnavailable):
        return LocalizedMessage("error.file_unavailable", buttons=(retry,))
    return LocalizedMessage("error.file_gone")
