"""A chat's way into NemoVideo: whose token, which project, and what to do when either is no longer good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from bot.chats.chats import Account, Chat, Chats
from bot.chats.key import ChatKey
from bot.clock import Clock
from bot.jobs.job import Job
from bot.jobs.ports import Button, Bytes, Notice
from bot.jobs.runner import Ended
from bot.nemo.answers import register_link
from bot.nemo.client import NemoClient
from bot.nemo.errors import (
    AuthError,
    ExportNotInPlan,
    FileTooLarge,
    FileTypeRefused,
    NemoError,
    NoCredits,
    RateLimited,
    ServiceError,
    SessionGone,
    TransportError,
)
from bot.nemo.wire import Attribution, Credentials
from bot.skills import Cards
from bot.words import nemo_language

log = structlog.get_logger(__name__)

T = TypeVar("T")

RATE_LIMIT_PAUSE_S = 30.0
"""The service's own advice for a 429; once."""

REPEATS = 4
PAUSES_S = (1.0, 3.0, 10.0)
"""Between tries of a call that never reached the service."""

KINDS_TAKEN = "mp4 mov avi webm mkv · jpg png gif webp · mp3 wav m4a aac"


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
        default_skill: Name of the card of a chat that chose none.
        size_limit: Bytes of the largest file that is taken.
    """

    web_url: str
    operator_token: str | None
    default_skill: str
    size_limit: int


class Workspace:
    """Opens chats' projects and makes calls about them.

    Args:
        nemo: The service.
        chats: What is known of each chat.
        cards: The skill cards, for the attribution headers.
        clock: For waits.
        options: See there.
    """

    def __init__(
        self, nemo: NemoClient, chats: Chats, cards: Cards, clock: Clock, options: WorkspaceOptions
    ) -> None:
        self.nemo = nemo
        self.chats = chats
        self.options = options
        self._cards = cards
        self._clock = clock

    async def is_set_up(self, key: ChatKey) -> bool:
        """Whether the chat has a project already."""
        return (await self.chats.get(key)).session_id is not None

    async def credentials(self, key: ChatKey) -> tuple[Credentials, Chat]:
        """The chat's token: the chat's own, else the operator's, else the kept anonymous one, else a new one.

        Raises:
            Ended: There are no free tokens left.
            NemoError: The service did not give one.
        """
        chat = await self.chats.get(key)
        attribution = self._attribution(chat)
        if chat.account is Account.OWN and chat.token is not None:
            return Credentials(chat.token, attribution), chat
        if self.options.operator_token is not None:
            if chat.account is not Account.OPERATOR:
                # Another account can't see the project that an earlier one made.
                await self.chats.update(
                    key, account=Account.OPERATOR, token=None, user_id=None, session_id=None, task_id=None
                )
                chat = await self.chats.get(key)
            return Credentials(self.options.operator_token, attribution), chat
        if chat.token is None or self._is_expired(chat):
            await self._renew(key, attribution)
            chat = await self.chats.get(key)
        if chat.token is None:
            raise AssertionError("a token was just kept")
        return Credentials(chat.token, attribution), chat

    async def open(self, job: Job) -> Project:
        """The chat's project, made when there is none.

        Raises:
            Ended: There are no free tokens left.
            NemoError: The service did not make one.
        """
        who, chat = await self.credentials(job.chat)
        if chat.session_id is None:
            session = await self.nemo.create_session(who, nemo_language(chat.language or job.language))
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
        mended: set[type[NemoError]] = set()
        for repeat in range(REPEATS):
            try:
                return await make(await self.open(job))
            except (AuthError, SessionGone, RateLimited) as error:
                if type(error) in mended:
                    raise
                mended.add(type(error))
                await self._mend(job, error, on_new_session)
            except TransportError as error:
                if error.sent or repeat >= len(PAUSES_S):
                    raise
                await self._clock.sleep(PAUSES_S[repeat])
        raise AssertionError("each repeat returns or raises in the end")

    async def ended_by(self, job: Job, error: NemoError) -> Ended:
        """What an error means for the chat, with the button that leads on."""
        chat = await self.chats.get(job.chat)
        web = self.options.web_url
        retry = Button("button.retry", "retry", job.id)
        register = Button("button.register", url=register_link(web, chat.user_id))
        is_guest = chat.account is Account.ANONYMOUS
        match error:
            case AuthError():
                notice = Notice("error.token_refused")
            case NoCredits() if is_guest:
                notice = Notice("error.no_credits_anonymous", buttons=(register,))
            case NoCredits():
                notice = Notice("error.no_credits_registered", buttons=(Button("button.top_up", url=web),))
            case ExportNotInPlan():
                notice = Notice(
                    "error.export_plan",
                    buttons=(register if is_guest else Button("button.upgrade", url=web),),
                )
            case FileTypeRefused():
                name = job.files[0].name if job.files else ""
                notice = Notice("error.file_type", {"name": name, "kinds": KINDS_TAKEN})
            case FileTooLarge():
                notice = Notice("error.file_too_large", {"limit": Bytes(self.options.size_limit)})
            case RateLimited():
                notice = Notice("error.busy", buttons=(retry,))
            case ServiceError() if error.code is not None:
                notice = Notice("error.turn_failed", {"reason": error.message or str(error.code)}, (retry,))
            case _:
                notice = Notice("error.nemo_down", buttons=(retry,))
        log.warning("nemo.refused", error=type(error).__name__, code=error.code, status=error.status)
        return Ended(notice)

    async def forget_session(self, key: ChatKey) -> None:
        """Let the next call begin an empty project."""
        await self.chats.update(key, session_id=None, task_id=None)

    async def _mend(
        self, job: Job, error: NemoError, on_new_session: Callable[[], Awaitable[None]] | None
    ) -> None:
        match error:
            case AuthError():
                chat = await self.chats.get(job.chat)
                if chat.account is not Account.ANONYMOUS:
                    raise error
                log.info("account.token_refused", chat=str(job.chat))
                await self._renew(job.chat, self._attribution(chat))
            case SessionGone():
                log.info("account.session_gone", chat=str(job.chat))
                await self.forget_session(job.chat)
                if on_new_session is not None:
                    await on_new_session()
            case RateLimited():
                await self._clock.sleep(error.retry_after_s or RATE_LIMIT_PAUSE_S)

    async def _renew(self, key: ChatKey, attribution: Attribution) -> None:
        client_id = str(await self.chats.ensure_client_id(key))
        try:
            given = await self.nemo.anonymous_token(client_id, attribution)
        except RateLimited as error:
            await self._clock.sleep(error.retry_after_s or RATE_LIMIT_PAUSE_S)
            try:
                given = await self.nemo.anonymous_token(client_id, attribution)
            except RateLimited:
                raise Ended(Notice("error.tokens_used_up")) from None
        before = await self.chats.get(key)
        is_other = before.user_id != given.user_id or before.account is not Account.ANONYMOUS
        await self.chats.update(
            key,
            token=given.token,
            account=Account.ANONYMOUS,
            user_id=given.user_id,
            token_expires_at=given.expires_at,
            **({"session_id": None, "task_id": None} if is_other else {}),
        )

    def _is_expired(self, chat: Chat) -> bool:
        return chat.token_expires_at is not None and chat.token_expires_at <= self._clock.now()

    def _attribution(self, chat: Chat) -> Attribution:
        card = self._cards.get(chat.skill or self.options.default_skill)
        if card is None:
            card = self._cards.get(self.options.default_skill) or self._cards.in_language("en")[0]
        return Attribution(card.name, card.version, card.platform)
