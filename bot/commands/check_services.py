"""The checks of Telegram and NemoVideo."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from bot.commands.check_findings import Finding, ok, skipped, wrong
from bot.nemo.answers import Credits
from bot.nemo.client import NemoClient
from bot.nemo.errors import AuthError, NemoError
from bot.nemo.lenient_json import mapping, parse
from bot.nemo.wire import Attribution, Credentials
from bot.runtime.clock import Clock
from bot.runtime.setting_types import revealed
from bot.settings import TELEGRAM_CLOUD_URL, Settings

LISTEN_S = 5
"""Seconds of polling in which another polling program would interrupt ours: each retries within seconds."""

MAX_PENDING = 100  # updates that may briefly wait at Telegram: as many as one poll fetches
RECENT = timedelta(hours=1)  # delivery errors older than this are not reported
MAX_SKEW_S = 30.0  # tolerated clock skew: less than any time limit that is compared with a service's time

_TOKEN_REFUSED = (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND)
"""The Bot API server itself answers 404 to a token that no bot has."""

TOTAL_TIMEOUT_S = 20.0  # seconds for all requests to one service


class NoAnswer(Exception):
    """A service gave no readable answer; the message is one line without a URL."""


class TelegramCheck:
    """Checks the token, the groups, how updates arrive, and the clock."""

    def __init__(
        self, http: httpx.AsyncClient, settings: Settings, clock: Clock, listen_s: int = LISTEN_S
    ) -> None:
        self._http = http
        self._settings = settings
        self._clock = clock
        self._listen_s = listen_s
        self._date: Finding | None = None

    async def run(self, polls_here: bool | None) -> list[Finding]:
        """Run the checks in the order of the table.

        Args:
            polls_here: Whether a process on this store polls; None if that is not known.
        """
        names = ("Telegram: groups", "Telegram: updates", "clock, by Telegram's")
        if self._settings.telegram_bot_token is None:
            return [
                wrong(
                    "Telegram",
                    "TELEGRAM_BOT_TOKEN is not set",
                    "Get a token from @BotFather: send it /newbot",
                ),
                *(skipped(name, "no token") for name in names),
            ]
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT_S):
                me = await self._ask("getMe")
                if not me.get("ok"):
                    return [
                        self._refused(me),
                        *(skipped(name, "Telegram refuses") for name in names[:2]),
                        self._clock_finding(),
                    ]
                bot = mapping(me.get("result"))
                credentials = f"@{bot.get('username')}, ID {bot.get('id')}"
                guest = await self._guest(bot)
                updates = await self._updates(polls_here)
        except (NoAnswer, TimeoutError) as error:
            url = self._settings.telegram_api_url
            advice = "Check the network, DNS and the firewall of this machine"
            if url != TELEGRAM_CLOUD_URL:
                advice = "Is your Bot API server running, and TELEGRAM_API_URL its address?"
            if self._settings.telegram_proxy:
                advice = "Is the proxy in TELEGRAM_PROXY running, and are its user and password right?"
            return [
                wrong("Telegram", f"{url} does not answer: {str(error) or 'too slow'}", advice),
                *(skipped(name, "no answer") for name in names),
            ]
        switches = [_groups(bot), _inline(bot), guest, _topics(bot)]
        return [ok("Telegram", credentials), *switches, updates, self._clock_finding()]

    def _clock_finding(self) -> Finding:
        return self._date or skipped("clock, by Telegram's", "it sent no date")

    def _refused(self, answer: Mapping[str, Any]) -> Finding:
        error = f"{answer.get('error_code')} {answer.get('description')}"
        if error.endswith("Logged out"):
            problem = "the bot has moved from Telegram's cloud to its own Bot API server"
            return wrong("Telegram", problem, "Set TELEGRAM_API_URL to that server")
        if answer.get("error_code") not in _TOKEN_REFUSED:
            return wrong("Telegram", f"it answers: {error}", "Wait a little, and try again")
        problem = f"TELEGRAM_BOT_TOKEN is refused ({error})"
        return wrong("Telegram", problem, "Look the token up at @BotFather: /mybots, API Token")

    async def _ask(self, method: str, **params: str | int) -> Mapping[str, Any]:
        payload, answer = await call_telegram(self._http, self._settings, method, **params)
        self._date = check_clock("clock, by Telegram's", answer, self._clock) or self._date
        return payload

    async def _guest(self, bot: Mapping[str, Any]) -> Finding:
        """Check guest mode, and that the bot can send to the chat that it needs for people who have not started it."""
        name, staging_chat = "Telegram: guest mode", self._settings.staging_chat
        if not bot.get("supports_guest_queries"):
            if staging_chat:
                return wrong(
                    name,
                    "STAGING_CHAT is set, but guest mode is off",
                    "Switch it on at @BotFather, in the bot's settings, or remove STAGING_CHAT",
                )
            return skipped(name, "off: it can't be called into chats where it is no member (@BotFather)")
        if not staging_chat:
            return ok(
                name,
                "on: people who haven't started the bot get a button for the video; STAGING_CHAT changes that",
            )
        answer = await self._ask("getChat", chat_id=staging_chat)
        if not answer.get("ok"):
            problem = f"it can't use STAGING_CHAT: {answer.get('description')}"
            return wrong(
                name, problem, "Add the bot to that chat, in a channel as an admin, and check its ID"
            )
        return ok(name, "on: it can be called into chats where it is no member")

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
        if pending > MAX_PENDING and (is_set or polls_here):
            return wrong(
                name, f"{pending} wait", "They come faster than they are stored: look at the log and at Redis"
            )
        if is_set:
            return ok(name, f"by our webhook at {there}; {pending} wait")
        if ours:
            return skipped(name, f"no webhook yet: it is set when the bot starts; {pending} wait")
        if polls_here:
            return ok(name, f"a process on this store polls; {pending} wait")
        if polls_here is None:
            return skipped(
                name, f"no webhook; whether somebody polls is unknown without the store; {pending} wait"
            )
        # Confirms no update, as it has no offset. It ends another program's poll, whose next poll then ends ours.
        polled = await self._ask("getUpdates", timeout=self._listen_s, limit=1)
        if polled.get("error_code") == httpx.codes.CONFLICT:
            return wrong(
                name,
                "another program polls with this token",
                "End it, or give it the same REDIS_URL; if you don't know it, make a new token at @BotFather",
            )
        return ok(name, f"nobody polls: the bot is not running; {pending} wait")


async def call_telegram(
    http: httpx.AsyncClient, settings: Settings, method: str, **params: str | int
) -> tuple[Mapping[str, Any], httpx.Response]:
    """Call the Bot API with the token of the settings; return its answer, which may be a refusal.

    Raises:
        NoAnswer: There is none that can be read.
    """
    token = settings.telegram_bot_token
    assert token is not None  # noqa: S101 - callers have one
    url = f"{settings.telegram_api_url}/bot{token.get_secret_value()}/{method}"
    try:
        answer = await http.post(url, json=params)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's own message may contain the URL, and so the token.
        raise NoAnswer(type(error).__name__) from None
    payload = mapping(parse(answer.content))
    if "ok" not in payload:
        raise NoAnswer(f"HTTP {answer.status_code}, and no JSON of a Bot API server")
    return payload, answer


def _inline(bot: Mapping[str, Any]) -> Finding:
    name = "Telegram: inline mode"
    if bot.get("supports_inline_queries"):
        return ok(
            name, 'on: videos have a "Share" button, and people find theirs behind its name in any chat'
        )
    return skipped(name, 'off: videos have no "Share" button (@BotFather: /setinline)')


def _topics(bot: Mapping[str, Any]) -> Finding:
    name = "Telegram: topics"
    if bot.get("has_topics_enabled"):
        return ok(name, "on in private chats: each topic has a project of its own")
    return skipped(name, "off in private chats (@BotFather: Threaded Mode)")


def _groups(bot: Mapping[str, Any]) -> Finding:
    name = "Telegram: groups"
    if not bot.get("can_join_groups", True):
        return skipped(name, "can't be added to any (@BotFather: /setjoingroups)")
    if bot.get("can_read_all_group_messages"):
        return ok(name, "privacy mode off: it is sent all messages, and answers those that are meant for it")
    return ok(name, "privacy mode on: it is sent commands and answers to it, and nothing else")


async def check_nemovideo(
    http: httpx.AsyncClient, settings: Settings, clock: Clock, guest_accounts: int | None, guests_a_week: int
) -> list[Finding]:
    """Check that NemoVideo answers, what credits are left, and the clock.

    Args:
        http: The client that sends the requests; its ``response`` hooks are replaced.
        settings: The bot's settings.
        clock: Compared with NemoVideo's clock.
        guest_accounts: Guest accounts created in the last seven days; None if that is not known.
        guests_a_week: How many NemoVideo allows in seven days.
    """
    dates: list[Finding] = []

    async def read_date(answer: httpx.Response) -> None:
        if (finding := check_clock("clock, by NemoVideo's", answer, clock)) is not None:
            dates.append(finding)

    http.event_hooks = {"response": [read_date]}
    account: Finding
    try:
        credits = await get_operator_credits(http, settings)
        left = credits.available
        account = ok("NemoVideo: account", f"of NEMO_TOKEN, {'?' if left is None else round(left)} credits")
        if left is not None and left <= 0:
            account = wrong("NemoVideo: account", "no credits are left", "Top up the account of NEMO_TOKEN")
    except AuthError as error:
        account = _guests(guest_accounts, guests_a_week)
        if settings.nemo_token:
            problem = f"NEMO_TOKEN is refused (code {error.code or error.status})"
            account = wrong(
                "NemoVideo: account", problem, "Get a new token at NemoVideo, or unset NEMO_TOKEN"
            )
    except (NemoError, TimeoutError) as error:
        return [
            wrong(
                "NemoVideo",
                f"{settings.nemo_api_url} does not answer as expected: {str(error) or 'too slow'}",
                "Check the network of this machine and NEMO_API_URL"
                + (", and the proxy in NEMO_PROXY" if settings.nemo_proxy else ""),
            ),
            skipped("NemoVideo: account", "no answer"),
            *(dates[-1:] or [skipped("clock, by NemoVideo's", "no answer")]),
        ]
    return [
        ok("NemoVideo", settings.nemo_api_url),
        account,
        *(dates[-1:] or [skipped("clock, by NemoVideo's", "it sent no date")]),
    ]


async def get_operator_credits(http: httpx.AsyncClient, settings: Settings) -> Credits:
    """Ask NemoVideo for the credits of ``NEMO_TOKEN``'s account.

    Raises:
        NemoError: It gives none. ``AuthError``: there is no such account, or no token is set.
        TimeoutError: It is too slow.
    """
    token = revealed(settings.nemo_token) or "none"
    credentials = Credentials(token, Attribution(settings.default_skill, "0"))
    async with asyncio.timeout(TOTAL_TIMEOUT_S):
        return await NemoClient(http, settings.nemo_api_url).get_credits(credentials)


def _guests(used: int | None, a_week: int) -> Finding:
    name = "NemoVideo: account"
    if used is None:
        return skipped(name, "no NEMO_TOKEN: guest accounts")
    if used >= a_week:
        return wrong(
            name,
            f"no NEMO_TOKEN, and {used} guest accounts were created in seven days: new chats get none",
            "Set NEMO_TOKEN to an account's token",
        )
    return ok(name, f"no NEMO_TOKEN: guest accounts, {used} of about {a_week} created in seven days")


def check_clock(name: str, answer: httpx.Response, clock: Clock) -> Finding | None:
    """Compare our clock with the date of an answer; return None if it has no date."""
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return None
    off_s = (clock.now() - theirs).total_seconds()
    if abs(off_s) <= MAX_SKEW_S:
        return ok(name, "right")
    problem = f"{abs(off_s):.0f} s {'fast' if off_s > 0 else 'slow'}"
    return wrong(name, problem, "Set this machine's clock, and keep it right with NTP")
