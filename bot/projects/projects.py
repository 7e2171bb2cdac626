"""A chat's token and project at NemoVideo, and recovery when either is invalid."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import structlog

from bot.chats.chats import AccountKind, Chat, ChatFields, Chats
from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject
from bot.nemo.answers import ClaimToken, Credits, ProjectState, claim_link, project_link, register_link
from bot.nemo.client import NemoClient
from bot.nemo.errors import AuthError, NemoError, SessionGone
from bot.nemo.wire import Attribution, Credentials
from bot.projects.accounts import RESET_PROJECT, Accounts, ProjectCaller
from bot.projects.call_retries import call_with_retries
from bot.projects.guest_account_count import GuestAccountCounter
from bot.projects.operator_token import OperatorToken
from bot.runtime.clock import Clock
from bot.skills.cards import SkillCard, SkillCards
from bot.words import bounded, session_language

log = structlog.get_logger(__name__)

T = TypeVar("T")

LINK_PATIENCE_S = 5.0  # how long a delivery waits for the address under its button; it goes without one then

LINK_MARGIN = timedelta(hours=24)
"""How long before it expires a browser link is replaced, so that the one under a message works for a while."""

MAX_TASK_NAME_CHARS = 40
"""The project's title on the web site; the rest of the request is cut."""

UNNAMED_PROJECT = "project"  # the title of a project that no words began


class LossReason(StrEnum):
    """Why a chat's project can't be used any more."""

    SESSION_GONE = "session_gone"  # NemoVideo no longer has it
    # The operator's account is out, and a guest account takes its place.
    OPERATOR_REFUSED = "operator_refused"
    OTHER_ACCOUNT = "other_account"  # it isn't gone, but the chat's account can't see it


@dataclass(frozen=True, slots=True)
class ProjectLoss:
    """A project that turned out to be lost during a call."""

    session_id: str | None  # ``None`` if there was none yet
    reason: LossReason = LossReason.SESSION_GONE


OnLoss = Callable[[ProjectLoss], Awaitable[None]]
"""Callback for a lost project, before the call is retried for a new one; it may raise to prevent that."""


@dataclass(frozen=True, slots=True)
class Project:
    """A chat's project and the credentials for it."""

    credentials: Credentials
    session_id: str
    task_id: str | None
    account: AccountKind
    epoch: str | None  # of the account


@dataclass(frozen=True, slots=True)
class ProjectOptions:
    """Web address and size limit."""

    web_url: str  # of the web site, for links that people open
    size_limit: int  # bytes of the largest file that is taken


class Projects:
    """Opens chats' projects and makes calls about them."""

    def __init__(
        self,
        nemo: NemoClient,
        chats: Chats,
        cards: SkillCards,
        guest_accounts: GuestAccountCounter,
        clock: Clock,
        operator_token: OperatorToken,
        options: ProjectOptions,
    ) -> None:
        self.nemo = nemo
        self.chats = chats
        self.options = options
        self.operator_token = operator_token
        self.accounts = Accounts(nemo, chats, guest_accounts, clock, operator_token)
        self._cards = cards
        self._clock = clock

    async def is_set_up(self, key: ChatKey) -> bool:
        """Return whether the chat has a project already."""
        return (await self.chats.get(key)).session_id is not None

    async def open(self, job: ProjectCaller) -> Project:
        """Return the chat's project; create it if there is none. Repairs nothing, unlike :meth:`ensure_open`.

        Raises:
            NoGuestAccountsLeft: There are no guest tokens left.
            NemoError: The service did not make one.
        """
        chat = await self.chats.get_for(job)
        attribution = self._attribution(chat)
        token, chat = await self.accounts.token(job, chat, attribution)
        credentials = Credentials(token, attribution)
        if chat.session_id is None:
            language = session_language(job.prompt, job.language_code or job.language)
            title = bounded(" ".join(job.prompt.split()), MAX_TASK_NAME_CHARS) or UNNAMED_PROJECT
            session = await self.nemo.create_session(credentials, language, title)
            changes = ChatFields(
                session_id=session.session_id,
                task_id=session.task_id,
                # Whose it is, should another topic have changed the account meanwhile.
                account=chat.account,
                project_epoch=chat.project_epoch,
            )
            if chat.account is AccountKind.GUEST and chat.user_id is None and session.user_id is not None:
                await self.chats.update(job.chat, changes, ChatFields(user_id=session.user_id))
            else:
                await self.chats.update(job.chat, changes)
            chat = await self.chats.get_for(job)
        if chat.session_id is None:
            raise AssertionError("a session was just kept")
        return Project(credentials, chat.session_id, chat.task_id, chat.account, chat.project_epoch)

    async def call(
        self,
        job: ProjectCaller,
        call_service: Callable[[Project], Awaitable[T]],
        *,
        on_loss: OnLoss | None = None,
        waits_out_rate_limit: bool = True,
    ) -> T:
        """Make a call about the chat's project; repair what can be repaired, each thing once.

        An expired or invalid guest token is renewed, a lost project is replaced, a 429 waited out, and a call that
        never reached the service made again. Nothing else is repeated: the call may have been carried out.

        Args:
            job: The job whose chat is used.
            call_service: Starts the call.
            on_loss: Called when the old project turned out to be gone.
            waits_out_rate_limit: Whether to wait out a 429, rather than raise it.

        Raises:
            NemoError: What the caller has to judge: the outcome is unknown, or the service refused the content.
        """
        opened: Project | None = None

        async def attempt() -> T:
            nonlocal opened
            opened = None
            opened = await self.open(job)
            return await call_service(opened)

        async def repair(error: AuthError | SessionGone) -> None:
            used = opened.session_id if opened else (await self.chats.get(job.chat)).session_id
            loss = await self._repair(job, error, used, opened.credentials.token if opened else None)
            if loss is not None and on_loss is not None:
                await on_loss(loss)

        return await call_with_retries(
            self._clock, attempt, repair, waits_out_rate_limit=waits_out_rate_limit
        )

    async def ensure_open(self, job: ProjectCaller, on_loss: OnLoss) -> Project:
        """Return the chat's project, with repairs; see :meth:`call`."""

        async def opened(project: Project) -> Project:
            return project

        return await self.call(job, opened, on_loss=on_loss)

    async def check_token(self, job: ProjectCaller, token: str) -> Credits:
        """Return the credits of an offered token's account; don't save the token.

        Raises:
            AuthError: The token is invalid.
            NemoError: See :mod:`bot.nemo.errors`.
        """
        credentials = Credentials(token, self._attribution(await self.chats.get(job.chat)))
        return await call_with_retries(self._clock, lambda: self.nemo.get_credits(credentials))

    async def check_account(self, job: ProjectCaller) -> None:
        """Make sure that NemoVideo takes the chat's account, without a project.

        Raises:
            NemoError: It does not, or can't be reached.
        """
        chat = await self.chats.get(job.chat)
        token, _ = await self.accounts.token(job, chat, self._attribution(chat))
        await self.check_token(job, token)

    async def get_state(self, job: ProjectCaller, on_loss: OnLoss | None = None) -> ProjectState:
        """Return the state of the chat's project.

        Raises:
            NemoError: See :meth:`call`.
        """
        return await self.call(
            job, lambda project: self.nemo.get_state(project.credentials, project.session_id), on_loss=on_loss
        )

    async def get_credits(self, job: ProjectCaller, on_loss: OnLoss | None = None) -> Credits:
        """Return the credits of the chat's account.

        Raises:
            NemoError: See :meth:`call`.
        """
        return await self.call(
            job, lambda project: self.nemo.get_credits(project.credentials), on_loss=on_loss
        )

    async def register_link(self, chat: Chat) -> str:
        """Return where a guest gets an account of their own, for their own projects if NemoVideo says whose they are.

        The account's id comes from the answer that gave the token, else from the one that made the project, else from
        the project's state.
        """
        user_id = chat.user_id
        if user_id is None and chat.token is not None and chat.session_id is not None:
            credentials = Credentials(chat.token, self._attribution(chat))
            with contextlib.suppress(NemoError, TimeoutError):
                async with asyncio.timeout(LINK_PATIENCE_S):
                    user_id = (await self.nemo.get_state(credentials, chat.session_id)).user_id
            if user_id is not None:
                await self.chats.update(chat.key, ChatFields(user_id=user_id))
        return register_link(self.options.web_url, user_id)

    async def browser_link(self, job: ProjectCaller, on_loss: OnLoss | None = None) -> str | None:
        """Return the link that opens the chat's project in a browser, if it is available quickly.

        Anyone who opens it can take the project over: it is for private chats only. It is cached until ``LINK_MARGIN``
        before it expires.

        Args:
            job: The job whose chat is used.
            on_loss: Called when the project turned out to be gone.
        """
        used = None
        try:
            async with asyncio.timeout(LINK_PATIENCE_S):
                project = await self.open(job)
                used = project.session_id
                if (kept := self._cached_claim_token(await self.chats.get_for(job))) is not None:
                    return claim_link(self.options.web_url, ClaimToken(kept), project.credentials.attribution)
                task_id = project.task_id or await self._find_task(job, project)
                claim = await self.nemo.create_claim_token(project.credentials, task_id, project.session_id)
        except SessionGone as error:
            loss = await self._repair(job, error, used)
            if loss is not None and on_loss is not None:
                await on_loss(loss)
            return None
        except (NemoError, TimeoutError) as error:
            log.warning("link.unavailable", error=type(error).__name__)
            return None
        expires_at = (
            None if claim.expires_in_s is None else self._clock.now() + timedelta(seconds=claim.expires_in_s)
        )
        await self.chats.update(
            job.chat,
            ChatFields(
                claim_token=claim.token, claim_session_id=project.session_id, claim_expires_at=expires_at
            ),
        )
        return claim_link(self.options.web_url, claim, project.credentials.attribution)

    async def private_link(self, job: ProjectCaller, on_loss: OnLoss) -> str | None:
        """Return :meth:`browser_link`; ``None`` in a group, where anybody could take the project over."""
        return await self.browser_link(job, on_loss) if job.chat.is_private else None

    async def project_link(self, key: ChatKey) -> str | None:
        """Return the page of the chat's project, where people have to sign in; None without a project."""
        chat = await self.chats.get(key)
        if chat.session_id is None:
            return None
        return project_link(
            self.options.web_url, chat.task_id or "", chat.session_id, self._attribution(chat)
        )

    def card(self, chat: Chat, language: str) -> SkillCard:
        """Return the chat's active skill card in a language."""
        return self._cards.active(chat.skill, language)

    async def leave(self, key: ChatKey) -> None:
        """Leave the current project, to which the chat can go back; the next call begins an empty one."""
        await self.chats.add_to_project_list(await self.chats.get(key), self._clock.now())
        await self.chats.update(key, RESET_PROJECT)

    async def go_back(self, key: ChatKey, project: ListedProject) -> bool:
        """Make a project from the chat's list its current one; idempotent.

        Returns:
            Whether the chat's account can see it. Otherwise the next call begins an empty project.
        """
        chat = await self.chats.get(key)
        if chat.session_id != project.session_id:
            await self.leave(key)
        is_visible = await self.accounts.can_see(chat, project)
        if is_visible:
            now = ListedProject(session_id=project.session_id, used_at=self._clock.now(), is_lost=False)
            await self.chats.project_list.save(key, now)
            present = ChatFields(
                session_id=project.session_id,
                task_id=project.task_id,
                account=AccountKind(project.account),
                project_epoch=project.project_epoch,
            )
            await self.chats.update(key, RESET_PROJECT, present)
        return is_visible

    async def _repair(
        self,
        job: ProjectCaller,
        error: AuthError | SessionGone,
        used: str | None,
        used_token: str | None = None,
    ) -> ProjectLoss | None:
        """Repair the cause of a refused call.

        Args:
            job: The job whose chat is used.
            error: The refusal.
            used: The project that the call was about.
            used_token: The token that it was made with; None if the project could not be opened.

        Returns:
            The lost project, if one was lost.
        """
        chat = await self.chats.get(job.chat)
        loss = ProjectLoss(used)
        if isinstance(error, SessionGone):
            log.info("account.session_gone", chat=str(job.chat))
            if chat.session_id in (None, used):  # Otherwise another job has replaced it already.
                await self._lose_project(job.chat, used)
            return loss
        if chat.account is AccountKind.OPERATOR:
            await self.operator_token.note_refused()
            if not self.operator_token.falls_back_to_guests:
                raise error
            # The next call switches the chat to another account, which can't see this project: another token can.
            await self._lose_project(job.chat, used, is_lost=False)
            return ProjectLoss(used, LossReason.OPERATOR_REFUSED)
        if chat.account is not AccountKind.GUEST:
            raise error
        log.info("account.token_refused", chat=str(job.chat))
        if not await self.accounts.renew(job, used_token or chat.token, self._attribution(chat)):
            return None
        await self._lose_project(job.chat, used)
        return loss

    async def _lose_project(self, key: ChatKey, session_id: str | None, *, is_lost: bool = True) -> None:
        await self.chats.add_to_project_list(await self.chats.get(key), self._clock.now(), is_lost=is_lost)
        await self.chats.update(key, RESET_PROJECT, ChatFields(lost_session_id=session_id))

    def _cached_claim_token(self, chat: Chat) -> str | None:
        ends = chat.claim_expires_at
        holds = ends is None or ends - LINK_MARGIN > self._clock.now()
        return chat.claim_token if holds and chat.claim_session_id == chat.session_id else None

    async def _find_task(self, job: ProjectCaller, project: Project) -> str:
        """Return the project's task from its state, because the answer that made the project may not have named it."""
        found = (await self.nemo.get_state(project.credentials, project.session_id)).task_id
        if found is not None:
            await self.chats.update(job.chat, ChatFields(task_id=found))
        return found or ""

    def _attribution(self, chat: Chat) -> Attribution:
        card = self.card(chat, "en")
        return Attribution(card.name, card.version, card.platform)
