"""Whose account a chat works with, in all its topics: its own, else the operator's, else a guest's."""

import contextlib
import secrets
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog

from bot.chats.chat_read_cache import ChatReader
from bot.chats.chats import AccountKind, Chat, ChatFields, Chats
from bot.chats.key import ChatKey
from bot.chats.project_list import ListedProject
from bot.nemo.answers import AnonymousToken
from bot.nemo.client import NemoClient
from bot.nemo.errors import Call, ClientIdMissing, NemoError, RateLimited
from bot.nemo.wire import Attribution
from bot.projects.call_retries import call_with_retries
from bot.projects.guest_account_count import GuestAccountCounter
from bot.projects.operator_token import OperatorToken
from bot.runtime.clock import Clock

log = structlog.get_logger(__name__)

RENEW_AHEAD = timedelta(minutes=5)
"""How long before its end a guest token is renewed, so that it doesn't expire during a job."""

RESET_PROJECT = ChatFields(session_id=None, task_id=None, lost_session_id=None)

RESET_ON_ACCOUNT_CHANGE = ChatFields(session_id=None, task_id=None, export_refused_at=None)
"""What ends with an account: another one can't see its project, and may have another plan."""


class ProjectCaller(ChatReader, Protocol):
    """Whoever calls NemoVideo about a chat's project: mostly a job."""

    @property
    def requester_id(self) -> int:
        """Telegram id of the person who asks."""
        ...

    @property
    def prompt(self) -> str:
        """The request, which names a new project; empty if there is none."""
        ...

    @property
    def language(self) -> str:
        """``en`` or ``zh``, in which it is answered."""
        ...

    @property
    def language_code(self) -> str:
        """The language that the chat chose or the person's client sends, such as ``pt-br``; empty if unknown."""
        ...


class NoGuestAccountsLeft(NemoError):
    """The service gives no more guest accounts to this address this week."""


class PersonHasGuestAccount(NemoError):
    """The person got a guest account this week already, for another chat or before it was erased.

    Args:
        free_in_s: Seconds until there is another one.
    """

    def __init__(self, free_in_s: float) -> None:
        super().__init__(Call("POST", "/api/auth/anonymous-token"), "one new guest account a person and week")
        self.free_in_s = free_in_s


class Accounts:
    """Finds each chat's token, and changes accounts."""

    def __init__(
        self,
        nemo: NemoClient,
        chats: Chats,
        guest_accounts: GuestAccountCounter,
        clock: Clock,
        operator_token: OperatorToken,
    ) -> None:
        self._nemo = nemo
        self._chats = chats
        self._guest_accounts = guest_accounts
        self._clock = clock
        self._operator_token = operator_token

    async def account_kind_for(self, chat: Chat) -> AccountKind:
        """Return the kind of account that the chat's next call is made with."""
        if chat.own_token is not None:
            return AccountKind.OWN
        return AccountKind.GUEST if await self._operator_token.usable() is None else AccountKind.OPERATOR

    async def can_see(self, chat: Chat, project: ListedProject) -> bool:
        """Return whether a chat's present account owns a project in its list."""
        project_of = {"account": project.account, "project_epoch": project.project_epoch}
        return _can_see_project(await self.account_kind_for(chat), chat.changed(**project_of))

    async def token(self, job: ProjectCaller, chat: Chat, attribution: Attribution) -> tuple[str, Chat]:
        """Return the token for a chat's calls, and the chat as it is stored once it has that token.

        Args:
            job: The job that makes the calls.
            chat: Its chat, as it is stored now.
            attribution: What the calls name as their origin.

        Raises:
            NoGuestAccountsLeft: There are no guest tokens left.
            PersonHasGuestAccount: The person got one this week.
            NemoError: The service did not give one.
        """
        account = await self.account_kind_for(chat)
        # Read again only where something was written: this is on the way of every call.
        if account is AccountKind.GUEST and await self._ensure_guest_token(job, chat, attribution):
            chat = await self._chats.get(job.chat)
        if not _can_see_project(account, chat):
            # Another topic may have changed the account meanwhile: write the epoch that was read.
            now = ChatFields(account=account, project_epoch=chat.account_epoch)
            await self._chats.update(job.chat, RESET_ON_ACCOUNT_CHANGE, now)
            chat = await self._chats.get(job.chat)
        token = {
            AccountKind.OWN: chat.own_token,
            AccountKind.OPERATOR: self._operator_token.token,
            AccountKind.GUEST: chat.token,
        }[account]
        if token is None:
            raise AssertionError("a token was just there")
        return token, chat

    async def renew(self, job: ProjectCaller, refused: str | None, attribution: Attribution) -> bool:
        """Get a guest token under the chat's client id, unless another topic has got one already.

        Args:
            job: For whom.
            refused: The token that NemoVideo refused.
            attribution: Who asks.

        Returns:
            Whether the chat lost its project: the new account can't see another user's.

        Raises:
            NoGuestAccountsLeft: There are none left.
            NemoError: The service did not give one.
        """
        async with self._chats.account_lock(job.chat):
            chat = await self._chats.get(job.chat)
            if chat.token in (None, refused):
                await self._get_guest_account(job, attribution)
                chat = await self._chats.get(job.chat)
        return chat.session_id is not None and not _can_see_project(AccountKind.GUEST, chat)

    async def _get_guest_account(self, job: ProjectCaller, attribution: Attribution) -> None:
        """Get the chat a guest account, and save it."""
        try:
            anonymous_token = await call_with_retries(
                self._clock, lambda: self._request_guest_token(job, attribution)
            )
        except RateLimited as error:
            log.warning(
                "account.guest_tokens_used_up",
                used=await self._guest_accounts.used_this_week(),
                code=error.code,
            )
            raise NoGuestAccountsLeft(
                error.call, error.message, code=error.code, status=error.status
            ) from None
        await self._save_account(job.chat, anonymous_token)

    async def set_own_token(self, key: ChatKey, token: str) -> None:
        """Give a chat a token of its own to work with; idempotent."""
        if (await self._chats.get(key)).own_token != token:
            await self._change_account(key, ChatFields(own_token=token, account=AccountKind.OWN))

    async def clear_own_token(self, key: ChatKey) -> None:
        """Forget a chat's own token; the next account in order takes its place. Idempotent."""
        chat = await self._chats.get(key)
        if chat.own_token is not None:
            account = await self.account_kind_for(chat.changed(own_token=None))
            await self._change_account(key, ChatFields(own_token=None, account=account))

    async def _ensure_guest_token(self, job: ProjectCaller, chat: Chat, attribution: Attribution) -> bool:
        """Ensure a valid guest token. Return whether the chat may have changed and must be read again."""
        if chat.token is not None and not self._expires_within(chat, RENEW_AHEAD):
            return False
        async with self._chats.account_lock(job.chat):
            chat = await self._chats.get(job.chat)  # another topic may have done it
            if chat.token is None or self._expires_within(chat, timedelta(0)):
                await self._get_guest_account(job, attribution)
            elif self._expires_within(chat, RENEW_AHEAD):
                # The old token still works: if there is no new one yet, the next call asks again.
                with contextlib.suppress(NemoError):
                    await self._save_account(job.chat, await self._request_guest_token(job, attribution))
        return True

    def _expires_within(self, chat: Chat, margin: timedelta) -> bool:
        return chat.token_expires_at is not None and chat.token_expires_at - margin <= self._clock.now()

    async def _request_guest_token(self, job: ProjectCaller, attribution: Attribution) -> AnonymousToken:
        key, chat = job.chat, await self._chats.get(job.chat)
        if chat.client_id is None:
            # Projects that topics still have belong to the forgotten account.
            await self._chats.update(key, ChatFields(account_epoch=_new_epoch()))
        client_id = await self._chats.ensure_client_id(key)
        # A renewed token belongs to the same account.
        person = self._chats.person_digest(job.requester_id) if chat.token is None else None
        try:
            await self._reserve_guest_account(person, client_id)
            anonymous_token = await self._nemo.create_anonymous_token(str(client_id), attribution)
        except ClientIdMissing:
            log.warning("account.client_id_refused", chat=str(key))
            await self._return_guest_account(person, client_id)
            client_id = await self._chats.replace_client_id(key, client_id)
            await self._reserve_guest_account(person, client_id)
            anonymous_token = await self._nemo.create_anonymous_token(str(client_id), attribution)
        except RateLimited:
            await self._return_guest_account(person, client_id)
            raise
        await self._guest_accounts.record(anonymous_token.token)
        return anonymous_token

    async def _reserve_guest_account(self, person: str | None, client_id: UUID) -> None:
        free_in_s = 0.0 if person is None else await self._guest_accounts.claim(person, client_id)
        if free_in_s:
            log.warning("account.guest_of_person_used")
            raise PersonHasGuestAccount(free_in_s)

    async def _return_guest_account(self, person: str | None, client_id: UUID) -> None:
        if person is not None:
            await self._guest_accounts.release(person, client_id)

    async def _save_account(self, key: ChatKey, anonymous_token: AnonymousToken) -> None:
        before = await self._chats.get(key)
        # If the answer doesn't name the account, the client id still has its previous one.
        is_other = before.user_id is not None and anonymous_token.user_id not in (None, before.user_id)
        user_id = anonymous_token.user_id or before.user_id
        expires_at = anonymous_token.expires_at
        if expires_at is not None and expires_at - RENEW_AHEAD <= self._clock.now():
            expires_at = None  # A false time would renew it at every call, and guest accounts are scarce.
        changes = ChatFields(token=anonymous_token.token, user_id=user_id, token_expires_at=expires_at)
        if is_other:
            await self._chats.update(key, changes, ChatFields(account_epoch=_new_epoch()))
        else:
            await self._chats.update(key, changes)

    async def _change_account(self, key: ChatKey, changes: ChatFields) -> None:
        """Change the account of all topics: this one's project ends now, the others' at their next call."""
        epoch = _new_epoch()
        epochs = ChatFields(account_epoch=epoch, project_epoch=epoch)
        await self._chats.update(key, RESET_ON_ACCOUNT_CHANGE, changes, epochs)


def _can_see_project(account: AccountKind, chat: Chat) -> bool:
    """Return whether a chat's present account owns its project."""
    if chat.account != account:
        return False
    return account is AccountKind.OPERATOR or chat.project_epoch == chat.account_epoch


def _new_epoch() -> str:
    return secrets.token_urlsafe(6)
