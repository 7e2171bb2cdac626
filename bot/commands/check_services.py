"""The doctor's look at Telegram and NemoVideo."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from bot.commands.check_findings import Finding, not_asked, ok, wrong
from bot.nemo.client import NemoClient
from bot.nemo.errors import AuthError, NemoError
from bot.nemo.read import mapping, parse
from bot.nemo.wire import Attribution, Credentials
from bot.runtime.clock import Clock
from bot.settings import TELEGRAM_CLOUD_URL, Settings

LISTEN_S = 5
"""Of polling, in which another program that polls would end ours: each retries within seconds."""

MOST_PENDING = 100
"""Updates that may wait at Telegram for a moment; as many as one poll fetches."""

RECENT = timedelta(hours=1)
"""An error of Telegram's deliveries that is older says nothing of now."""

MOST_SKEW_S = 30.0
"""That a clock may be wrong: less than any time here that is compared with a service's."""

_TOKEN_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND)
"""An own server says the second of a token that no bot has."""

PATIENCE_S = 20.0
"""For all that one service is asked."""


class _NoAnswer(Exception):
    """A service gave none that can be read; the message is one line without an address."""


class TelegramLook:
    """What is asked of Telegram.

    Args:
        http: The client.
        settings: Address and token.
        clock: Ours, held against Telegram's.
        listen_s: How long it is polled to hear another program.
    """

    def __init__(
        self, http: httpx.AsyncClient, settings: Settings, clock: Clock, listen_s: int = LISTEN_S
    ) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._listen_s = listen_s
        self._date: Finding | None = None

    async def look(self, polls_here: bool | None) -> list[Finding]:
        """Everything, in the order of the table.

        Args:
            polls_here: Whether a process that shares the store polls; None when that is not known.
        """
        names = ("Telegram: groups", "Telegram: updates", "clock, by Telegram's")
        if self._settings.telegram_bot_token is None:
            return [
                wrong(
                    "Telegram",
                    "TELEGRAM_BOT_TOKEN is not set",
                    "Get a token from @BotFather: send it /newbot",
                ),
                *(not_asked(name, "no token") for name in names),
            ]
        try:
            async with asyncio.timeout(PATIENCE_S):
                me = await self._ask("getMe")
                if not me.get("ok"):
                    return [
                        self._refused(me),
                        *(not_asked(name, "Telegram refuses") for name in names[:2]),
                        self._clocks(),
                    ]
                bot = mapping(me.get("result"))
                who = f"@{bot.get('username')}, id {bot.get('id')}"
                updates = await self._updates(polls_here)
        except (_NoAnswer, TimeoutError) as error:
            url = self._settings.telegram_api_url
            advice = "Look at the network, DNS and the firewall of this machine"
            if url != TELEGRAM_CLOUD_URL:
                advice = "Is your Bot API server running, and TELEGRAM_API_URL its address?"
            return [
                wrong("Telegram", f"{url} does not answer: {str(error) or 'too slow'}", advice),
                *(not_asked(name, "no answer") for name in names),
            ]
        return [ok("Telegram", who), _groups(bot), updates, self._clocks()]

    def _clocks(self) -> Finding:
        return self._date or not_asked("clock, by Telegram's", "it told no time")

    def _refused(self, answer: Mapping[str, Any]) -> Finding:
        said = f"{answer.get('error_code')} {answer.get('description')}"
        if said.endswith("Logged out"):
            found = "the bot has left Telegram's cloud for an own server"
            return wrong("Telegram", found, "Set TELEGRAM_API_URL to that server")
        if answer.get("error_code") not in _TOKEN_REFUSED:
            return wrong("Telegram", f"it answers: {said}", "Wait a little, and try again")
        found = f"TELEGRAM_BOT_TOKEN is refused ({said})"
        return wrong("Telegram", found, "Look the token up at @BotFather: /mybots, API Token")

    async def _ask(self, method: str, **params: str | int) -> Mapping[str, Any]:
        token = self._settings.telegram_bot_token
        assert token is not None  # noqa: S101 - or nothing is asked
        url = f"{self._settings.telegram_api_url}/bot{token.get_secret_value()}/{method}"
        try:
            answer = await self._http.post(url, json=params)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _NoAnswer(
                type(error).__name__
            ) from None  # Its words may hold the address, and so the token.
        self._date = skew("clock, by Telegram's", answer, self._clock) or self._date
        found = mapping(parse(answer.content))
        if "ok" not in found:
            raise _NoAnswer(f"HTTP {answer.status_code}, and no JSON of a Bot API server")
        return found

    async def _updates(self, polls_here: bool | None) -> Finding:
        name = "Telegram: updates"
        info = mapping((await self._ask("getWebhookInfo")).get("result"))
        pending = int(info.get("pending_update_count") or 0)
        is_set, ours = str(info.get("url") or ""), self._settings.webhook_url or ""
        there = urlsplit(is_set).hostname or "an address"
        if is_set and is_set != ours:
            return wrong(
                name,
                f"they are delivered to another webhook, at {there}",
                "Another program has this token, or the bot had it before: start the bot, which takes the webhook "
                "over; if it comes back, make a new token at @BotFather",
            )
        failed_at = datetime.fromtimestamp(int(info.get("last_error_date") or 0), UTC)
        if is_set and self._clock.now() - failed_at < RECENT:
            return wrong(
                name,
                f"a delivery failed at {failed_at:%H:%M} UTC: {info.get('last_error_message')}; {pending} wait",
                "Is the bot running, and does WEBHOOK_URL lead to HTTP_LISTEN with TLS and the same WEBHOOK_SECRET?",
            )
        if pending > MOST_PENDING and (is_set or polls_here):
            return wrong(
                name, f"{pending} wait", "They come faster than they are stored: look at the log and at Redis"
            )
        if is_set:
            return ok(name, f"by our webhook at {there}; {pending} wait")
        if ours:
            return not_asked(name, f"no webhook yet: it is set when the bot starts; {pending} wait")
        if polls_here:
            return ok(name, f"a process on this store polls; {pending} wait")
        if polls_here is None:
            return not_asked(
                name, f"no webhook; whether somebody polls is unknown without the store; {pending} wait"
            )
        # Confirms nothing, for it has no offset. Another program's poll ends, and its next one ends ours.
        heard = await self._ask("getUpdates", timeout=self._listen_s, limit=1)
        if heard.get("error_code") == httpx.codes.CONFLICT:
            return wrong(
                name,
                "another program polls with this token",
                "End it, or give it the same REDIS_URL; if you don't know it, make a new token at @BotFather",
            )
        return ok(name, f"nobody polls: the bot is not running; {pending} wait")


def _groups(bot: Mapping[str, Any]) -> Finding:
    name = "Telegram: groups"
    if not bot.get("can_join_groups", True):
        return not_asked(name, "can't be added to any (@BotFather: /setjoingroups)")
    if bot.get("can_read_all_group_messages"):
        return ok(name, "privacy mode off: it is sent all messages, and answers those that are meant for it")
    return ok(name, "privacy mode on: it is sent commands and answers to it, and nothing else")


async def look_at_nemovideo(
    http: httpx.AsyncClient, settings: Settings, clock: Clock, guests: int | None, guests_a_week: int
) -> list[Finding]:
    """NemoVideo: whether it answers, and what the account has.

    Args:
        http: The client; its ``response`` hooks are used.
        settings: Address and token.
        clock: Ours, held against the service's.
        guests: Guest accounts that were given in seven days; None when that is not known.
        guests_a_week: As many are given.
    """
    dates: list[Finding] = []

    async def note(answer: httpx.Response) -> None:
        if (found := skew("clock, by NemoVideo's", answer, clock)) is not None:
            dates.append(found)

    http.event_hooks = {"response": [note]}
    token = settings.nemo_token.get_secret_value() if settings.nemo_token else ""
    who = Credentials(token or "none", Attribution(settings.default_skill, "0"))
    account: Finding
    try:
        async with asyncio.timeout(PATIENCE_S):
            credits = await NemoClient(http, settings.nemo_api_url).credits(who)
        left = credits.available
        account = ok("NemoVideo: account", f"of NEMO_TOKEN, {'?' if left is None else round(left)} credits")
        if left is not None and left <= 0:
            account = wrong("NemoVideo: account", "no credits are left", "Top up the account of NEMO_TOKEN")
    except AuthError as error:
        account = _guests(guests, guests_a_week)
        if token:
            found = f"NEMO_TOKEN is refused (code {error.code or error.status})"
            account = wrong("NemoVideo: account", found, "Get a new token at NemoVideo, or unset NEMO_TOKEN")
    except (NemoError, TimeoutError) as error:
        return [
            wrong(
                "NemoVideo",
                f"{settings.nemo_api_url} does not answer as it should: {str(error) or 'too slow'}",
                "Look at the network of this machine and at NEMO_API_URL",
            ),
            not_asked("NemoVideo: account", "no answer"),
            *(dates[-1:] or [not_asked("clock, by NemoVideo's", "no answer")]),
        ]
    return [
        ok("NemoVideo", settings.nemo_api_url),
        account,
        *(dates[-1:] or [not_asked("clock, by NemoVideo's", "it told no time")]),
    ]


def _guests(used: int | None, a_week: int) -> Finding:
    name = "NemoVideo: account"
    if used is None:
        return not_asked(name, "no NEMO_TOKEN: guest accounts")
    if used >= a_week:
        return wrong(
            name,
            f"no NEMO_TOKEN, and {used} guest accounts were given in seven days: new chats get none",
            "Set NEMO_TOKEN to an account's token",
        )
    return ok(name, f"no NEMO_TOKEN: guest accounts, {used} of about {a_week} given in seven days")


def skew(name: str, answer: httpx.Response, clock: Clock) -> Finding | None:
    """Our clock held against the date of an answer; None when it has none."""
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return None
    off_s = (clock.now() - theirs).total_seconds()
    if abs(off_s) <= MOST_SKEW_S:
        return ok(name, "right")
    found = f"{abs(off_s):.0f} s {'fast' if off_s > 0 else 'slow'}"
    return wrong(name, found, "Set this machine's clock, and keep it right with NTP")
