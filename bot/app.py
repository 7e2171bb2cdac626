"""Who is wired to whom: one process of the bot, for intake, for work, or for both."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
from docket import Docket, Worker
from redis.asyncio import Redis
from telegram.error import BadRequest, InvalidToken, TelegramError
from telegram.ext import ExtBot

from bot import metrics
from bot.addresses import AllowedHosts
from bot.chats.addresses import Addresses
from bot.chats.admission import Admission
from bot.chats.chats import Chats
from bot.chats.secrets import Vault
from bot.clock import Clock, SystemClock
from bot.http import Transport, new_client, tls_context
from bot.jobs.budgets import Allowance, Budgets
from bot.jobs.crew import Crew, worker_name
from bot.jobs.forgetting import Eraser
from bot.jobs.guest_tokens import GIVEN_A_WEEK, GuestTokens
from bot.jobs.job import Kind
from bot.jobs.lanes import Lanes
from bot.jobs.runner import Runner, Step
from bot.jobs.steps.accounts import give_link, login, logout
from bot.jobs.steps.admin import announce, tell_stats
from bot.jobs.steps.connect import connect
from bot.jobs.steps.export import ExportOptions, deliver, export
from bot.jobs.steps.forget import clear_way, forget
from bot.jobs.steps.prompt import read_prompt
from bot.jobs.steps.questions import cancel_job, new_project, tell_credits, tell_status
from bot.jobs.steps.together import gather
from bot.jobs.steps.turn import TurnOptions, turn
from bot.jobs.steps.upload import upload
from bot.jobs.watch import Watch
from bot.jobs.workspace import Workspace, WorkspaceOptions
from bot.nemo.client import MediaSource, NemoClient
from bot.open_files import raise_open_files
from bot.role import Role
from bot.settings import MEBIBYTE, Settings
from bot.skills import INSTALL_DIRS, Cards, load_cards
from bot.store import keys
from bot.store.connect import Store, open_store
from bot.store.lease import Lease
from bot.store.schema import settle_schema
from bot.telegram import media
from bot.telegram.accounts import hide
from bot.telegram.admin import AdminCommands
from bot.telegram.application import new_application, new_bot
from bot.telegram.chat_settings import show_settings
from bot.telegram.confidences import show_confided
from bot.telegram.delivery import Delivery
from bot.telegram.desk import Desk
from bot.telegram.door import Door
from bot.telegram.files import TelegramFiles
from bot.telegram.flood import Flood
from bot.telegram.front import ChatFronts
from bot.telegram.handlers import Handlers
from bot.telegram.intake import Intake
from bot.telegram.limits import Limits
from bot.telegram.membership import GroupMembership
from bot.telegram.menu import Menu
from bot.telegram.once import Sent
from bot.telegram.outbox import Outbox
from bot.telegram.says import answer_tap, redraw_tapped, say
from bot.telegram.skills import show_skills
from bot.telegram.webhook import settle_webhook
from bot.web.health import Check, Health

if TYPE_CHECKING:
    from bot.web.webhook import Webhook

log = structlog.get_logger(__name__)

TICKET_TTL = timedelta(minutes=1)
"""How long docket remembers a ticket that is done; long enough for the sweep to see that it is."""

RECONNECT_PAUSE = timedelta(seconds=1)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0

POLL_LEASE_S = 5.0
"""A standby polls so long after the poller fell silent, at the latest."""

LEFTOVER_AGE_S = 86_400
"""Results older than this were left by a process that died; nobody comes back for them."""


class CannotStart(Exception):
    """Something outside has to be put right first; the message is one clear line."""


class App:
    """One process of the bot.

    Args:
        settings: See there.
        clock: Time, for everything.
        role: What this process does.
    """

    def __init__(self, settings: Settings, clock: Clock, role: Role) -> None:
        if settings.telegram_bot_token is None:
            raise CannotStart(
                "TELEGRAM_BOT_TOKEN is not set: get one from @BotFather, or try everything without it: "
                "nemovideo-bot sandbox"
            )
        self._token = settings.telegram_bot_token.get_secret_value()
        self._settings = settings
        self._clock = clock
        self._role = role

    async def run(self, stop: asyncio.Event, ready: asyncio.Event | None = None) -> None:
        """Run until told to stop; then give running jobs back and leave.

        Args:
            stop: Set it to end.
            ready: Is set when updates and jobs are being taken.

        Raises:
            CannotStart: Telegram refuses the token, or the store can't be used.
            StoreError: The store can't be used.
        """
        settings = self._settings
        raise_open_files(settings.worker_jobs if self._role is not Role.INTAKE else 0)
        redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
        async with contextlib.AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_store(redis_url, settings.data_dir))
            await settle_schema(store.redis)
            vault = Vault.open(
                [key.get_secret_value() for key in settings.encryption_keys], settings.data_dir
            )
            await vault.check(store.redis)
            is_started = False
            health = Health({"store": store.redis.ping, "started": _always(lambda: is_started)})
            webhook = await self._serve(stack, health)
            docket, lanes = await stack.enter_async_context(open_lanes(store, settings, self._clock))
            chats = Chats(store.redis, vault, self._clock, settings.chat_ttl_days)
            # No step waits longer for one thing than for an answer of the agent or for a render.
            watch = Watch(store.redis, self._clock, 2 * max(settings.turn_total_s, settings.render_total_s))
            health.before_metrics = self._measure(lanes, watch, GuestTokens(store.redis, self._clock))
            tls = tls_context()
            bot = await stack.enter_async_context(self._bot(tls, stop, health))
            if stop.is_set():
                return
            sent = Sent(store.redis)
            admission = Admission(
                store.redis, settings.allowed_users, settings.allowed_chats, settings.admins
            )
            cards = await asyncio.to_thread(_cards, settings)
            tasks = [asyncio.create_task(metrics.watch_loop(), name="loop lag")]
            tasks.append(asyncio.create_task(watch.run(), name="watch"))
            runner: Runner | None = None
            if self._role is not Role.INTAKE:
                await stack.enter_async_context(
                    Menu(bot, store.redis, self._clock, settings.admins).background()
                )
                runner = await self._runner(stack, bot, tls, chats, lanes, sent, cards, store.redis)
                await stack.enter_async_context(runner.background())
                # In real time, which docket's signs of life come in whatever the clock is.
                crew = Crew(docket, lambda: self._worker(docket), SystemClock())
                tasks.append(asyncio.create_task(crew.run(), name="crew"))
                health.checks["worker"] = _always(lambda: crew.is_heard)
            if self._role is not Role.WORKER:
                intake = await self._intake(bot, lanes, chats, sent, cards, admission, Addresses(store.redis))
                receiving = (
                    self._poll(intake, store.redis)
                    if webhook is None
                    else self._take_deliveries(intake, webhook, bot, store.redis)
                )
                tasks.append(asyncio.create_task(receiving, name="intake"))
            is_started = True
            log.info("app.ready", role=self._role, bot=bot.username)
            if ready is not None:
                ready.set()
            await _until(stop, tasks)
            await _leave(tasks, runner)
        log.info("app.stopped", role=self._role)

    def _measure(
        self, lanes: Lanes, watch: Watch, guest_tokens: GuestTokens
    ) -> Callable[[], Awaitable[None]]:
        """What brings the figures that lie in the store up to date."""

        async def measure() -> None:
            count, age_s = await lanes.waiting()
            metrics.QUEUE.set(count)
            metrics.QUEUE_AGE.set(age_s)
            ages = await watch.ages()
            metrics.JOB_OLDEST.set(ages.running_s)
            metrics.JOB_SILENT.set(ages.silent_s)
            metrics.GUEST_TOKENS_LEFT.set(max(0, GIVEN_A_WEEK - await guest_tokens.used_this_week()))

        return measure

    @contextlib.asynccontextmanager
    async def _bot(
        self, tls: ssl.SSLContext, stop: asyncio.Event, health: Health
    ) -> AsyncIterator[ExtBot[None]]:
        settings, is_known = self._settings, False
        health.checks["telegram"] = _always(lambda: is_known)
        bot = new_bot(
            self._token, settings.telegram_api_url, lambda: Transport(tls), local=settings.telegram_local_mode
        )
        pause_s = FIRST_PAUSE_S
        try:
            while not stop.is_set():
                try:
                    await bot.initialize()
                    is_known = True
                    break
                except InvalidToken as error:
                    raise CannotStart(
                        f"TELEGRAM_BOT_TOKEN is refused by {settings.telegram_api_url}: look it up at @BotFather"
                    ) from error
                except TelegramError as error:
                    log.warning("app.telegram_away", error=type(error).__name__)
                    await _sleep_unless(stop, self._clock, pause_s)
                    pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            yield bot
        finally:
            await bot.shutdown()

    async def _serve(self, stack: contextlib.AsyncExitStack, health: Health) -> Webhook | None:
        """Serve the web app, where there is one; the webhook takes nothing yet."""
        settings = self._settings
        if not (settings.webhook_url or settings.http_listen):
            return None
        # Here, as a bot that serves nothing starts sooner without.
        from bot.web.app import MAX_CONNECTIONS, create_app
        from bot.web.serve import serve
        from bot.web.webhook import Webhook

        webhook = None
        path = ""
        if settings.webhook_url and settings.webhook_secret and self._role is not Role.WORKER:
            webhook = taken = Webhook(settings.webhook_secret.get_secret_value())
            health.checks["webhook"] = _always(lambda: taken.is_set)
            path = urlsplit(settings.webhook_url).path
        if settings.http_listen or webhook is not None:
            host, port = settings.listen
            app = create_app(health, webhook, path)
            try:
                url = await stack.enter_async_context(serve(app, host, port, max_connections=MAX_CONNECTIONS))
            except OSError as error:
                raise CannotStart(f"HTTP_LISTEN: {host}:{port} can't be used: {error.strerror}") from error
            log.info("web.ready", url=url)
        return webhook

    async def _intake(
        self,
        bot: ExtBot[None],
        lanes: Lanes,
        chats: Chats,
        sent: Sent,
        cards: Cards,
        admission: Admission,
        addresses: Addresses,
    ) -> Intake:
        application = new_application(bot, addresses)
        desk = Desk(lanes, chats, sent, cards, self._clock)
        Door(desk, admission).register(application)
        AdminCommands(desk, admission, self._settings.admins).register(application)
        Handlers(desk, self._limits(), addresses).register(application)
        await application.initialize()
        return Intake(application, self._clock)

    async def _poll(self, intake: Intake, redis: Redis) -> None:
        """Poll while no other process does: Telegram would answer to each of them with a conflict."""
        ttl_s = min(POLL_LEASE_S, self._settings.lease_s)
        lease = Lease(redis, keys.POLL_LEASE, keys.POLL_TERM, ttl_s)
        metrics.POLLING.set_function(lambda: lease.is_held)
        await lease.while_held(intake.run)

    async def _take_deliveries(
        self, intake: Intake, webhook: Webhook, bot: ExtBot[None], redis: Redis
    ) -> None:
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        assert url is not None and secret is not None  # noqa: S101, PT018 - whence the webhook
        webhook.open(intake.receive_one)
        try:
            await settle_webhook(bot, redis, url, secret.get_secret_value(), self._clock)
            webhook.is_set = True
            await asyncio.Event().wait()
        except BadRequest as error:
            raise CannotStart(f"WEBHOOK_URL is refused by Telegram: {error.message}") from error
        finally:
            webhook.close()

    async def _runner(
        self,
        stack: contextlib.AsyncExitStack,
        bot: ExtBot[None],
        tls: ssl.SSLContext,
        chats: Chats,
        lanes: Lanes,
        sent: Sent,
        cards: Cards,
        redis: Any,
    ) -> Runner:
        settings, clock = self._settings, self._clock
        # The store's time, which all machines share, unless time runs otherwise here.
        is_real = isinstance(clock, SystemClock) and clock.is_real
        time_ms = None if is_real else lambda: clock.now().timestamp() * 1000
        outbox = Outbox(clock, Addresses(redis), Flood(redis, clock, time_ms=time_ms))
        membership = GroupMembership(bot, outbox, redis)
        nemo_http = await stack.enter_async_context(new_client(tls))
        media_http = await stack.enter_async_context(new_client(tls, public_only=True))
        files_http = await stack.enter_async_context(new_client(tls))
        await asyncio.to_thread(_prepare_results, settings.results_dir, clock)
        local = settings.telegram_local_mode
        fronts = ChatFronts(
            bot,
            outbox,
            sent,
            TelegramFiles(bot, outbox, files_http, local=local, server_dir=settings.server_dir),
            Delivery(
                bot,
                outbox,
                sent,
                local=local,
                send_limit=media.LOCAL_SEND_LIMIT if local else media.CLOUD_SEND_LIMIT,
                work_dir=settings.results_dir,
            ),
            clock,
            settings.live_edit_s,
            chats.seal,
        )
        guest_tokens = GuestTokens(redis, clock)
        workspace = Workspace(
            NemoClient(
                nemo_http,
                settings.nemo_api_url,
                media=MediaSource(media_http, AllowedHosts(settings.nemo_media_hosts).allow),
            ),
            chats,
            cards,
            guest_tokens,
            clock,
            WorkspaceOptions(
                web_url=settings.nemo_web_url,
                operator_token=settings.nemo_token.get_secret_value() if settings.nemo_token else None,
                size_limit=settings.max_upload_mb * MEBIBYTE,
            ),
        )
        return Runner(
            lanes,
            redis,
            fronts,
            clock,
            self._steps(
                workspace,
                lanes,
                cards,
                {
                    Kind.CLEAR_WAY: [clear_way(lanes)],
                    Kind.FORGET: [forget(lanes, Eraser(redis))],
                    Kind.SAY: [say],
                    Kind.STATS: [tell_stats(lanes, guest_tokens, redis)],
                    Kind.TAP: [answer_tap(bot, outbox, lanes, chats, membership)],
                    Kind.REDRAW: [redraw_tapped(bot, outbox, cards, chats)],
                    Kind.SETTINGS: [show_settings(chats, cards)],
                    Kind.SKILL: [show_skills(cards, chats)],
                    Kind.HIDE: [hide(bot, outbox)],
                    Kind.LINK: [give_link(workspace, membership)],
                    Kind.CONFIDED: [show_confided(lanes, chats.unseal, membership)],
                    Kind.CANCEL: [cancel_job(lanes, membership)],
                },
            ),
            settings.job_tries,
        )

    def _steps(
        self, workspace: Workspace, lanes: Lanes, cards: Cards, of_telegram: dict[Kind, list[Step]]
    ) -> dict[Kind, list[Step]]:
        settings = self._settings
        export_options = ExportOptions(settings.render_poll_s, settings.render_total_s)
        turn_options = TurnOptions(
            silent_s=settings.turn_silent_s,
            total_s=settings.turn_total_s,
            recovery_first_s=settings.recovery_first_s,
            recovery_every_s=settings.recovery_every_s,
            recovery_readings=settings.recovery_readings,
        )
        asking = [connect(workspace), upload(workspace, cards), turn(workspace, turn_options, cards)]
        ending = [export(workspace, export_options, cards), deliver(workspace, export_options, cards)]
        return {
            Kind.WISH: [gather, read_prompt, *asking, *ending],
            Kind.EXPORT: [connect(workspace), *ending],
            Kind.NEW: [new_project(workspace)],
            Kind.LOGIN: [login(workspace)],
            Kind.LOGOUT: [logout(workspace)],
            Kind.CREDITS: [tell_credits(workspace)],
            Kind.STATUS: [tell_status(workspace, lanes)],
            Kind.ANNOUNCE: [announce(lanes)],
            **of_telegram,
        }

    def _worker(self, docket: Docket) -> Worker:
        return Worker(
            docket,
            name=worker_name(),
            concurrency=self._settings.worker_jobs,
            redelivery_timeout=timedelta(seconds=self._settings.lease_s),
            reconnection_delay=RECONNECT_PAUSE,
            schedule_automatic_tasks=False,
        )

    def _limits(self) -> Limits:
        local = self._settings.telegram_local_mode
        return Limits(
            fetch=media.LOCAL_SIZE_LIMIT if local else media.CLOUD_SIZE_LIMIT,
            take=self._settings.max_upload_mb * MEBIBYTE,
            send=media.LOCAL_SEND_LIMIT if local else media.CLOUD_SEND_LIMIT,
        )


@contextlib.asynccontextmanager
async def open_lanes(store: Store, settings: Settings, clock: Clock) -> AsyncIterator[tuple[Docket, Lanes]]:
    """The chats' queues with the limits of the settings, and docket, which holds their tickets."""
    async with Docket(name=keys.DOCKET, url=store.docket_url, execution_ttl=TICKET_TTL) as docket:
        budgets = Budgets(
            clock,
            Allowance(settings.daily_jobs_per_person, settings.daily_mb_per_person * MEBIBYTE),
            Allowance(settings.daily_jobs_per_chat, settings.daily_mb_per_chat * MEBIBYTE),
        )
        yield (
            docket,
            Lanes(
                store.redis,
                docket,
                clock,
                budgets=budgets,
                queue_limit=settings.queue_limit,
                total_limit=settings.total_queue_limit,
            ),
        )


def _always(holds: Callable[[], bool]) -> Check:
    async def check() -> bool:
        return holds()

    return check


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for the word to stop; a task that ends before is a fault and goes up."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    except InvalidToken as error:
        raise CannotStart("TELEGRAM_BOT_TOKEN is not valid any more: look it up at @BotFather") from error
    finally:
        stopping.cancel()


async def _leave(tasks: list[asyncio.Task[None]], runner: Runner | None) -> None:
    # First no more tickets are taken, then the running jobs stop where they are and give themselves back.
    for task in tasks:
        task.cancel()
    if runner is not None:
        runner.drain()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _sleep_unless(stop: asyncio.Event, clock: Clock, duration_s: float) -> None:
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(clock.sleep(duration_s))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _cards(settings: Settings) -> Cards:
    own = () if settings.skills_dir is None else (settings.skills_dir,)
    for directory in own:
        if not directory.expanduser().is_dir():
            log.warning("skills.no_directory", directory=str(directory))
    cards = load_cards((*INSTALL_DIRS, *own), platform=settings.skill_source, default=settings.default_skill)
    for problem in cards.problems:
        log.warning("skills.card_skipped", file=str(problem.path), line=problem.line, reason=problem.reason)
    if cards.get(cards.default) is None:
        log.warning("skills.no_default", missing=cards.default, used=cards.active(None).name)
    log.info("skills.ready", cards=len(cards.in_language("en")))
    return cards


def _prepare_results(directory: Path, clock: Clock) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    oldest = clock.now().timestamp() - LEFTOVER_AGE_S
    for path in directory.glob("*.mp4"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
