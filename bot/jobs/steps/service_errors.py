"""What an error of NemoVideo means for the chat: a message with a button for what to do next.

Too few credits are told here if NemoVideo refuses for them. ``credits_use.py`` asks before a generation that has few,
and keeps the operator's daily limit.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import structlog

from bot.chats.chats import AccountKind, Chat
from bot.jobs.buttons import Export, Retry
from bot.jobs.messages import Button, Bytes, LocalizedMessage, PrivateMessage
from bot.jobs.model import Job
from bot.jobs.refusal_messages import kind_unusable, named_in, size_limit, size_refused
from bot.jobs.worker.attempt import JobEnded
from bot.media.kinds import kind_of_name
from bot.nemo.errors import (
    BY_CODE,
    AlreadyUploaded,
    AuthError,
    ClientIdMissing,
    ExportNotInPlan,
    FileSizeRefused,
    FileTypeRefused,
    NemoError,
    NoCredits,
    PaymentRequired,
    RateLimited,
    ServiceError,
    WarmingUp,
)
from bot.nemo.failures import FailureKind, failure_kind
from bot.projects.accounts import NoGuestAccountsLeft, PersonHasGuestAccount
from bot.projects.projects import Projects
from bot.runtime import metrics

log = structlog.get_logger(__name__)

BILLING_PATH = "/dashboard/billing"  # of the web site: where credits are topped up and plans are changed

_REFUSED = {AccountKind.OWN: "error.token_refused_own", AccountKind.OPERATOR: "error.token_refused"}
"""Texts for a refused token that only its owner can renew."""


async def ended_by(projects: Projects, job: Job, error: NemoError) -> JobEnded:
    """Return the end of a job for an error, with a message and a button for what to do next."""
    metrics.ERRORS.labels(_label(error)).inc()
    chat = await projects.chats.get(job.chat)
    retry = Button("button.retry", Retry(job.id))
    match error:
        case PersonHasGuestAccount():
            key = "error.guest_of_person" if job.chat.is_private else "error.guest_of_person_group"
            message = LocalizedMessage(key, {"n": ceil(error.free_in_s / 86_400)}, (retry,))
        case NoGuestAccountsLeft():
            key = "error.tokens_used_up" if job.chat.is_private else "error.tokens_used_up_group"
            message = LocalizedMessage(key, buttons=(retry,))
        case AuthError():
            message = LocalizedMessage(_REFUSED.get(chat.account, "error.nemo_down"), buttons=(retry,))
        case NoCredits():
            message = await _account_message(projects, "error.no_credits_", chat, "button.top_up")
            message = replace(message, buttons=(*message.buttons, retry))
        case ExportNotInPlan():
            message = await _account_message(projects, "error.export_plan_", chat, "button.upgrade")
            message = replace(message, buttons=(*message.buttons, Button("button.export", Export())))
        case PaymentRequired():
            group = "error.plan_" if error.says_plan else "error.payment_"
            message = await _account_message(projects, group, chat, "button.upgrade")
            message = replace(message, buttons=(*message.buttons, retry))
        case FileTypeRefused():
            message = _kind_refused(error, job)
        case FileSizeRefused():
            message = _too_large(projects, chat, job)
        case ClientIdMissing():
            message = LocalizedMessage("error.client_id_refused", buttons=(retry,))
        case AlreadyUploaded():  # Perhaps under another name; the project doesn't show it.
            message = LocalizedMessage("error.upload_failed", buttons=(retry,))
        case RateLimited() | WarmingUp():
            message = LocalizedMessage("error.busy", buttons=(retry,))
        case ServiceError() if not error.outcome_unknown:
            # 409, 423: another turn of the project goes on.
            is_busy = failure_kind(error.message) is FailureKind.BUSY or error.status in (409, 423)
            message = LocalizedMessage("error.busy" if is_busy else "error.refused", buttons=(retry,))
        case _:
            message = LocalizedMessage("error.nemo_down", buttons=(retry,))
    log.warning("nemo.call_failed", error=type(error).__name__, code=error.code, status=error.status)
    is_lacking = isinstance(error, NoCredits | ExportNotInPlan | PaymentRequired)
    if is_lacking or (isinstance(error, AuthError) and chat.account in _REFUSED):
        return JobEnded(PrivateMessage(message, (LocalizedMessage("error.account"),)))
    return JobEnded(message)


def _kind_refused(error: FileTypeRefused, job: Job) -> LocalizedMessage:
    """Name the file whose kind was refused, if it is known which."""
    names = [file.name for file in job.files]
    named = named_in(error.message, names) or tuple(names)
    if len(names) > 1 and len(named) != 1:
        return LocalizedMessage("error.unusable_one_of")
    name = named[0] if named else ""
    return kind_unusable(name, kind_of_name(name))


def _too_large(projects: Projects, chat: Chat, job: Job) -> LocalizedMessage:
    """Say which limit a file is over; that NemoVideo has refused it, if it is below all that are known."""
    limit, card = projects.options.size_limit, projects.card(chat, job.language)
    sizes = {file.name: file.size for file in job.files if file.size}
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    if largest is None or sizes[largest] > size_limit(limit, card):
        return size_refused(limit, card)
    return LocalizedMessage("error.file_too_large_unknown", {"name": largest, "size": Bytes(sizes[largest])})


async def register_buttons(projects: Projects, chat: Chat) -> tuple[Button, ...]:
    """Return the button with which a guest gets an account of their own.

    Anyone who registers with it owns the guest's projects, so it is only for the person of a private chat, or for an
    admin of the group.
    """
    if chat.account is not AccountKind.GUEST:
        return ()
    return (Button("button.register", url=await projects.register_link(chat)),)


async def top_up_buttons(projects: Projects, chat: Chat, label: str = "button.top_up") -> tuple[Button, ...]:
    """Return the button that gets a chat more credits or another plan, if the chat can do something about it."""
    if chat.account is AccountKind.OWN:
        return (Button(label, url=f"{projects.options.web_url.rstrip('/')}{BILLING_PATH}"),)
    return await register_buttons(projects, chat) if chat.key.is_private else ()


async def _account_message(projects: Projects, group: str, chat: Chat, label: str) -> LocalizedMessage:
    """Say what an account lacks, by its kind, with a button for what to do next."""
    match chat.account:
        case AccountKind.OWN:
            kind = "own"
        case AccountKind.OPERATOR:
            kind = "operator"
        case _:
            kind = "anonymous" if chat.key.is_private else "group"
    return LocalizedMessage(f"{group}{kind}", buttons=await top_up_buttons(projects, chat, label))


def _label(error: NemoError) -> str:
    """Return an error's code or HTTP status as a metric label; only those that the service documents."""
    known = (error.code, error.status)
    named = next((str(value) for value in known if value in BY_CODE), None)
    if named is not None:
        return named
    return "5xx" if error.status is not None and error.status >= 500 else "other"
