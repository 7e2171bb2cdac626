"""Accounts, their tokens and credits, and the ledger of what they paid for."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from bot.sandbox.nemovideo.settings import Settings

CLIP_CREDITS = 100
EDITING_SESSION_CREDITS = 50
TOKEN_LIFE = timedelta(days=7)

Plan = Literal["anonymous", "free", "pro"]


class NoCreditsError(Exception):
    """An account cannot pay for what it asked."""


class RateLimitError(Exception):
    """An address has had all its anonymous tokens of these seven days."""


@dataclass(slots=True)
class Account:
    """Someone with a token.

    Attributes:
        user_id: ``anon_…`` or ``user_…``.
        plan: What kind of account it is.
        token: What it is known by at present.
        expires_at: Until when the token is good.
        available: Credits that can be spent.
        frozen: Credits that running work holds.
        may_render: Whether its plan has the export.
        client_id: The client that asked for an anonymous account.
    """

    user_id: str
    plan: Plan
    token: str
    expires_at: datetime
    available: int
    frozen: int = 0
    may_render: bool = True
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """Credits that were taken.

    Attributes:
        user_id: From whom.
        session_id: For work in which session.
        credits: How many.
        reason: ``clip`` or ``editing session``.
        at: When.
    """

    user_id: str
    session_id: str
    credits: int
    reason: str
    at: datetime


@dataclass(slots=True)
class Hold:
    """Credits that running work holds until it is charged or given back."""

    account: Account
    credits: int


@dataclass(slots=True)
class Accounts:
    """Everyone who may call.

    Args:
        settings: The switches.
        now: The time of day.
    """

    settings: Settings
    now: Callable[[], datetime]
    by_user: dict[str, Account] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    _by_token: dict[str, Account] = field(default_factory=dict)
    _by_client: dict[str, Account] = field(default_factory=dict)
    _issued: dict[str, list[datetime]] = field(default_factory=dict)

    def anonymous(self, client_id: str, address: str) -> Account:
        """The account of a client, made or given a new token where needed.

        Args:
            client_id: What the client calls itself; the same one has the same account.
            address: The caller's; about ten tokens are given to one in seven days.

        Raises:
            RateLimitError: The address has had them all.
        """
        account = self._by_client.get(client_id)
        if account is not None and account.expires_at > self.now():
            return account
        self._count_token(address)
        expires_at = self.now() + TOKEN_LIFE
        if account is None:
            account = Account(
                user_id=f"anon_{secrets.token_hex(8)}",
                plan="anonymous",
                token=_new_token(),
                expires_at=expires_at,
                available=self.settings.anonymous_credits,
                client_id=client_id,
            )
            self._by_client[client_id] = account
            self.add(account)
        else:
            self.renew(account, expires_at)
        return account

    def register(
        self,
        *,
        credits_: int,
        plan: Plan = "pro",
        token: str | None = None,
        expires_at: datetime | None = None,
        may_render: bool = True,
    ) -> Account:
        """Make an account with any credits and plan, as the web site would.

        Args:
            credits_: What it can spend.
            plan: What kind it is.
            token: Its token; made up without one.
            expires_at: Until when the token is good; a year without one.
            may_render: Whether its plan has the export.
        """
        account = Account(
            user_id=f"user_{secrets.token_hex(8)}",
            plan=plan,
            token=token or _new_token(),
            expires_at=expires_at or self.now() + timedelta(days=365),
            available=credits_,
            may_render=may_render,
        )
        self.add(account)
        return account

    def add(self, account: Account) -> None:
        """Let an account in."""
        self.by_user[account.user_id] = account
        self._by_token[account.token] = account

    def renew(self, account: Account, expires_at: datetime) -> None:
        """Give an account a new token; the old one is good no more."""
        self._by_token.pop(account.token, None)
        account.token = _new_token()
        account.expires_at = expires_at
        self._by_token[account.token] = account

    def by_token(self, token: str) -> Account | None:
        """Whose token it is, or nobody's when it is unknown or has expired."""
        account = self._by_token.get(token)
        return account if account is not None and account.expires_at > self.now() else None

    def may_render(self, account: Account) -> bool:
        """Whether the account's plan has the export."""
        return account.may_render and (account.plan != "anonymous" or self.settings.anonymous_may_render)

    def freeze(self, account: Account, credits_: int) -> Hold:
        """Hold credits while work runs.

        Raises:
            NoCreditsError: There are not enough.
        """
        if account.available < credits_:
            raise NoCreditsError(f"{credits_} credits are needed, {account.available} are left")
        account.available -= credits_
        account.frozen += credits_
        return Hold(account, credits_)

    def release(self, hold: Hold) -> None:
        """Give held credits back: the work was not done."""
        hold.account.frozen -= hold.credits
        hold.account.available += hold.credits

    def charge(self, hold: Hold, session_id: str, reason: str) -> None:
        """Take held credits for good: the work is done."""
        hold.account.frozen -= hold.credits
        if hold.credits:
            self.charges.append(Charge(hold.account.user_id, session_id, hold.credits, reason, self.now()))

    def _count_token(self, address: str) -> None:
        limit = self.settings.anonymous_per_address
        recent = [at for at in self._issued.get(address, []) if at > self.now() - TOKEN_LIFE]
        if limit is not None and len(recent) >= limit:
            raise RateLimitError(f"{limit} anonymous tokens were given to this address")
        self._issued[address] = [*recent, self.now()]


def _new_token() -> str:
    return f"nmv_usr_{secrets.token_urlsafe(24)}"
