"""A chat's way into NemoVideo: whose token, which project, and what to do when either is no longer good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import structlog

from bot import metrics
from bot.chats.chats import Account, Chat, Chats
from bot.chats.key import ChatKey
from bot.clock import Clock
from bot.jobs.accounts import NO_PROJECT, Accounts
from bot.jobs.card_limits import size_refused
from bot.jobs.guest_tokens import GuestTokens
from bot.jobs.job import Job
from bot.jobs.ports import Button, Confidential, Notice
from bot.jobs.repeats import repeated
from bot.jobs.runner import Ended
from bot.nemo.answers import ClaimToken, Credits, claim_link, register_link
from bot.nemo.client import NemoClient
from bot.nemo.errors import (
    BY_CODE,
    AuthError,
    ExportNotInPlan,
    FileTooLarge,
    FileTypeRefused,
    NemoError,
    NoCredits,
    RateLimited,
    ServiceError,
    SessionGone,
)
from bot.nemo.wire import Attribution, Credentials
from bot.skills import Card, Cards
from bot.words import nemo_language

log = structlog.get_logger(__name__)

T = TypeVar("T")

LINK_PATIENCE_S = 5.0
"""How long a delivery waits for the address under its button; it goes without one then."""

LINK_MARGIN = timedelta(hours=24)
"""A browser link is made anew so long before it ends, so that one under a message holds for a while."""

_REFUSED = {Account.OWN: "error.token_refused_own", Account.OPERATOR: "error.token_refused"}
"""What is told when the service refuses a token that nobody but its owner can renew."""


@dataclass(frozen=True, slots=True)
class Project:
    """What a call about a chat's project needs."""

    who: Credentials
    session_id: str
    task_id: str | None
    account: Account
    user_id: str | None


@dataclass(frozen=True, slots=True)
class WorkspaceOptions:
    """How chats reach NemoVideo.

    Args:
        web_url: Of the web site, for links that people open.
        operator_token: Used for every chat, when there is one.
        size_limit: Bytes of the largest file that is taken.
    """

    web_url: str
    operator_token: str | None
    size_limit: int


class Workspace:
    """Opens chats' projects and makes calls about them.

    Args:
        nemo: The service.
        chats: What is known of each chat.
        cards: The skill cards, for the attribution headers.
        guest_tokens: Counts guest tokens.
        clock: For waits.
        options: See there.
    """

    def __init__(
        self,
        nemo: NemoClient,
        chats: Chats,
        cards: Cards,
        guest_tokens: GuestTokens,
        clock: Clock,
        options: WorkspaceOptions,
    ) -> None:
        self.nemo = nemo
        self.chats = chats
        self.options = options
        self.accounts = Accounts(nemo, chats, guest_tokens, clock, options.operator_token)
        self._cards = cards
        self._clock = clock

    async def is_set_up(self, key: ChatKey) -> bool:
        """Whether the chat has a project already."""
        return (await self.chats.get(key)).session_id is not None

    async def open(self, job: Job) -> Project:
        """The chat's project, made when there is none.

        Raises:
            Ended: There are no free tokens left.
            NemoError: The service did not make one.
        """
        chat = await self.chats.get(job.chat)
        attribution = self._attribution(chat)
        token, chat = await self.accounts.token(job, chat, attribution)
        who = Credentials(token, attribution)
        if chat.session_id is None:
            session = await self.nemo.create_session(who, nemo_language(job.language))
            await self.chats.update(
                job.chat, session_id=session.session_id, task_id=session.task_id, greeted=True
            )
            chat = await self.chats.get(job.chat)
        if chat.session_id is None:
            raise AssertionError("a session was just kept")
        return Project(who, chat.session_id, chat.task_id, chat.account, chat.user_id)

    async def call(
        self,
        job: Job,
        make: Callable[[Project], Awaitable[T]],
        *,
        on_new_session: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Make a call about the chat's project; mend what can be mended, each thing once.

        A bad anonymous token is renewed, a lost project made anew, a 429 waited out, and a call that never reached
        the service made again. Nothing else is repeated: the call may have been carried out.

        Args:
            job: Whose chat.
            make: Starts the call.
            on_new_session: Told when the old project turned out to be gone.

        Raises:
            Ended: It is hopeless; says what the chat is told.
            NemoError: What the caller has to judge: the outcome is unknown, or the service refused the content.
        """

        async def attempt() -> T:
            return await make(await self.open(job))

        async def mend(error: AuthError | SessionGone) -> None:
            if await self._mend(job, error) and on_new_session is not None:
                await on_new_session()

        return await repeated(self._clock, attempt, mend)

    async def check_token(self, job: Job, token: str) -> Credits:
        """What the account of a token that somebody offers has; the chat goes on with its own until it is kept.

        Raises:
            AuthError: The token is not good.
            NemoError: See :mod:`bot.nemo.errors`.
        """
        who = Credentials(token, self._attribution(await self.chats.get(job.chat)))
        return await repeated(self._clock, lambda: self.nemo.credits(who))

    async def browser_link(self, job: Job) -> str | None:
        """The address that opens the chat's project in a browser, if it can be had without much waiting.

        Whoever opens it can take the project over: it is for private chats only. It is kept until shortly before its
        end, so that not every video asks for another one.
        """
        try:
            async with asyncio.timeout(LINK_PATIENCE_S):
                project = await self.open(job)
                if (kept := self._kept_claim(await self.chats.get(job.chat))) is not None:
                    return claim_link(self.options.web_url, ClaimToken(kept))
                task_id = project.task_id or await self._find_task(job, project)
                claim = await self.nemo.claim_token(project.who, task_id, project.session_id)
        except (NemoError, Ended, TimeoutError) as error:
            log.warning("link.unavailable", error=type(error).__name__)
            return None
        await self.chats.update(
            job.chat,
            claim_token=claim.token,
            claim_session_id=project.session_id,
            claim_expires_at=None
            if claim.expires_in_s is None
            else self._clock.now() + timedelta(seconds=claim.expires_in_s),
        )
        return claim_link(self.options.web_url, claim)

    def register_buttons(self, chat: Chat) -> tuple[Button, ...]:
        """The way to an account of one's own, for guests.

        Whoever registers by it owns the guest's projects, so it is for the person of a private chat, or for an admin of
        the group alone.
        """
        if chat.account is not Account.ANONYMOUS:
            return ()
        return (Button("button.register", url=register_link(self.options.web_url, chat.user_id)),)

    async def ended_by(self, job: Job, error: NemoError) -> Ended:
        """What an error means for the chat, with the button that leads on."""
        metrics.ERRORS.labels(_label(error)).inc()
        chat = await self.chats.get(job.chat)
        retry = Button("button.retry", "retry", job.id)
        match error:
            case AuthError():
                notice = Notice(_REFUSED.get(chat.account, "error.nemo_down"), buttons=(retry,))
            case NoCredits():
                notice = self._account_notice("error.no_credits_", chat, "button.top_up")
            case ExportNotInPlan():
                notice = self._account_notice("error.export_plan_", chat, "button.upgrade")
                notice = replace(notice, buttons=(*notice.buttons, Button("button.export", "export")))
            case FileTypeRefused():
                name = job.files[0].name if job.files else ""
                kinds = " ".join(self._card(chat, job.language).file_kinds)
                notice = Notice("error.file_type", {"name": name, "kinds": kinds})
            case FileTooLarge():
                notice = size_refused(self.options.size_limit, self._card(chat, job.language))
            case RateLimited():
                notice = Notice("error.busy", buttons=(retry,))
            case ServiceError() if error.code is not None:
                notice = Notice("error.turn_failed", {"reason": error.message or str(error.code)}, (retry,))
            case _:
                notice = Notice("error.nemo_down", buttons=(retry,))
        log.warning("nemo.refused", error=type(error).__name__, code=error.code, status=error.status)
        is_lacking = isinstance(error, NoCredits | ExportNotInPlan)
        if is_lacking or (isinstance(error, AuthError) and chat.account in _REFUSED):
            return Ended(Confidential(notice, (Notice("error.account"),)))
        return Ended(notice)

    async def forget_session(self, key: ChatKey) -> None:
        """Let the next call begin an empty project."""
        await self.chats.update(key, **NO_PROJECT)

    def _account_notice(self, group: str, chat: Chat, label: str) -> Notice:
        """What an account lacks, in the words for its kind, with the button that leads on."""
        match chat.account:
            case Account.OWN:
                return Notice(f"{group}own", buttons=(Button(label, url=self.options.web_url),))
            case Account.OPERATOR:
                return Notice(f"{group}operator")
            case _:
                kind = "anonymous" if chat.key.is_private else "group"
                buttons = self.register_buttons(chat) if chat.key.is_private else ()
                return Notice(f"{group}{kind}", buttons=buttons)

    async def _mend(self, job: Job, error: AuthError | SessionGone) -> bool:
        """Put right what a call was refused for.

        Returns:
            Whether the project was lost.
        """
        chat = await self.chats.get(job.chat)
        if isinstance(error, SessionGone):
            log.info("account.session_gone", chat=str(job.chat))
            await self.forget_session(job.chat)
            return True
        if chat.account is not Account.ANONYMOUS:
            raise error
        log.info("account.token_refused", chat=str(job.chat))
        return await self.accounts.renew(job, self._attribution(chat))

    def _kept_claim(self, chat: Chat) -> str | None:
        ends = chat.claim_expires_at
        holds = ends is None or ends - LINK_MARGIN > self._clock.now()
        return chat.claim_token if holds and chat.claim_session_id == chat.session_id else None

    async def _find_task(self, job: Job, project: Project) -> str:
        """The project's task, from its state: the answer that made the project need not have named it."""
        found = (await self.nemo.state(project.who, project.session_id)).task_id
        if found is not None:
            await self.chats.update(job.chat, task_id=found)
        return found or ""

    def _attribution(self, chat: Chat) -> Attribution:
        card = self._card(chat, "en")
        return Attribution(card.name, card.version, card.platform)

    def _card(self, chat: Chat, language: str) -> Card:
        return self._cards.active(chat.skill, language)


def _label(error: NemoError) -> str:
    """An error's code, or the HTTP status, as a metric's label: those that the service documents, and no others."""
    known = (error.code, error.status)
    named = next((str(value) for value in known if value in BY_CODE), None)
    if named is not None:
        return named
    return "5xx" if error.status is not None and error.status >= 500 else "other"
