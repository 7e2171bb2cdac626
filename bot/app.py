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

from bot.chats.access_control import AccessControl
from bot.chats.chats import Chats
from bot.chats.telegram_ids import TelegramIds
from bot.chats.token_cipher import TokenCipher
from bot.job_types import StepDependencies, make_steps
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.quotas import DailyLimit, Quotas
from bot.jobs.steps.ask_agent import TurnLimits
from bot.jobs.steps.export import RenderLimits
from bot.jobs.worker.runner import JobRunner
from bot.jobs.worker.stuck_jobs import StuckJobMonitor
from bot.jobs.worker.supervisor import WorkerSupervisor, worker_name
from bot.nemo.client import MediaSource, NemoClient
from bot.projects.guest_accounts import GUEST_ACCOUNTS_PER_WEEK, GuestAccountCounter
from bot.projects.projects import ProjectOptions, Projects
from bot.runtime import metrics
from bot.runtime.allowed_hosts import AllowedHosts
from bot.runtime.clock import Clock, SystemClock
from bot.runtime.file_limits import raise_open_files
from bot.runtime.http import Transport, new_client, tls_context
from bot.runtime.role import Role
from bot.settings import MEBIBYTE, Settings
from bot.skills import INSTALL_DIRS, Cards, load_cards
from bot.store import keys
from bot.store.connect import Store, open_store
from bot.store.polling_lock import PollingLock
from bot.store.schema import ensure_schema
from bot.telegram.handlers.button_presses import ButtonPresses
from bot.telegram.handlers.cancel import close_position_message
from bot.telegram.handlers.handler_family import HandlerServices
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import Permissions
from bot.telegram.handlers.registration import register_handlers
from bot.telegram.reading import attachments as media
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import new_application, new_bot
from bot.telegram.receiving.receiver import UpdateReceiver
from bot.telegram.receiving.webhook import ensure_webhook
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.command_menu import CommandMenu
from bot.telegram.sending.delivery import Delivery
from bot.telegram.sending.downloads import FileDownloads
from bot.telegram.sending.group_admins import CachedGroupAdmins
from bot.telegram.sending.pressed_messages import PressedMessages
from bot.telegram.sending.rate_limiter import RateLimiter
from bot.telegram.sending.responder import TelegramResponders
from bot.telegram.sending.send_once import SentMessageLog
from bot.web.health import Check, Health

if TYPE_CHECKING:
    from bot.web.webhook import Webhook

log = structlog.get_logger(__name__)

TICKET_TTL = timedelta(minutes=1)
"""How long docket remembers a ticket that is done; long enough for the sweep to see that it is."""

RECONNECT_PAUSE = timedelta(seconds=1)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0

POLLING_LOCK_TTL_S = 5.0
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
            await ensure_schema(store.redis)
            token_cipher = TokenCipher.open(
                [key.get_secret_value() for key in settings.encryption_keys], settings.data_dir
            )
            await token_cipher.check(store.redis)
            is_started = False
            health = Health({"store": store.redis.ping, "started": _always(lambda: is_started)})
            webhook = await self._serve(stack, health)
            docket, job_queue = await stack.enter_async_context(open_job_queue(store, settings, self._clock))
            chats = Chats(store.redis, token_cipher, self._clock, settings.chat_ttl_days)
            # No step waits longer for one thing than for an answer of the agent or for a render.
            watch = StuckJobMonitor(
                store.redis, self._clock, 2 * max(settings.turn_total_s, settings.render_total_s)
            )
            health.before_metrics = self._measure(
                job_queue, watch, GuestAccountCounter(store.redis, self._clock)
            )
            tls = tls_context()
            bot = await stack.enter_async_context(self._bot(tls, stop, health))
            if stop.is_set():
                return
            sent = SentMessageLog(store.redis)
            telegram_calls = self._telegram_calls(store.redis)
            cards = await asyncio.to_thread(_cards, settings)
            tasks = [asyncio.create_task(metrics.measure_loop_lag(), name="loop lag")]
            tasks.append(asyncio.create_task(watch.run(), name="watch"))
            runner: JobRunner | None = None
            if self._role is not Role.INTAKE:
                await stack.enter_async_context(
                    CommandMenu(bot, store.redis, self._clock, settings.admins).background()
                )
                runner = await self._runner(
                    stack, bot, telegram_calls, tls, chats, job_queue, sent, cards, store.redis
                )
                await stack.enter_async_context(runner.background())
                # In real time, which docket's signs of life come in whatever the clock is.
                supervisor = WorkerSupervisor(docket, lambda: self._worker(docket), SystemClock())
                tasks.append(asyncio.create_task(supervisor.run(), name="crew"))
                health.checks["worker"] = _always(lambda: supervisor.is_heard)
            if self._role is not Role.WORKER:
                submitter = JobSubmitter(job_queue, chats, sent, cards, self._clock)
                receiver = await self._receiver(stack, bot, telegram_calls, submitter, store.redis)
                receiving = (
                    self._poll(receiver, store.redis)
                    if webhook is None
                    else self._take_deliveries(receiver, webhook, bot, store.redis)
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
        self, job_queue: JobQueue, watch: StuckJobMonitor, guest_accounts: GuestAccountCounter
    ) -> Callable[[], Awaitable[None]]:
        """What brings the figures that lie in the store up to date."""

        async def measure() -> None:
            count, age_s = await job_queue.waiting()
            metrics.QUEUE.set(count)
            metrics.QUEUE_AGE.set(age_s)
            ages = await watch.ages()
            metrics.JOB_OLDEST.set(ages.running_s)
            metrics.JOB_SILENT.set(ages.silent_s)
            metrics.GUEST_TOKENS_LEFT.set(
                max(0, GUEST_ACCOUNTS_PER_WEEK - await guest_accounts.used_this_week())
            )

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

    async def _receiver(
        self,
        stack: contextlib.AsyncExitStack,
        bot: ExtBot[None],
        telegram_calls: TelegramCalls,
        submitter: JobSubmitter,
        redis: Redis,
    ) -> UpdateReceiver:
        settings, telegram_ids = self._settings, TelegramIds(redis)
        application = new_application(bot, telegram_ids)
        services = HandlerServices(
            application=application,
            submitter=submitter,
            permissions=Permissions(CachedGroupAdmins(bot, telegram_calls, redis)),
            access=AccessControl(redis, settings.allowed_users, settings.allowed_chats, settings.admins),
            refusals=self._limits(),
            telegram_ids=telegram_ids,
            presses=ButtonPresses(submitter, PressedMessages(bot, telegram_calls)),
            admins=settings.admins,
        )
        register_handlers(services)
        await application.initialize()
        await application.start()
        stack.push_async_callback(application.stop)
        return UpdateReceiver(application, self._clock)

    async def _poll(self, receiver: UpdateReceiver, redis: Redis) -> None:
        """Poll while no other process does: Telegram would answer to each of them with a conflict."""
        lock = PollingLock(redis, keys.POLLING_LOCK, min(POLLING_LOCK_TTL_S, self._settings.lease_s))
        metrics.POLLING.set_function(lambda: lock.is_held)
        await lock.run(receiver.run)

    async def _take_deliveries(
        self, receiver: UpdateReceiver, webhook: Webhook, bot: ExtBot[None], redis: Redis
    ) -> None:
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        assert url is not None and secret is not None  # noqa: S101, PT018 - whence the webhook
        webhook.open(receiver.receive_one)
        try:
            await ensure_webhook(bot, redis, url, secret.get_secret_value(), self._clock)
            webhook.is_set = True
            await asyncio.Event().wait()
        except BadRequest as error:
            raise CannotStart(f"WEBHOOK_URL is refused by Telegram: {error.message}") from error
        finally:
            webhook.close()

    def _telegram_calls(self, redis: Redis) -> TelegramCalls:
        clock = self._clock
        # The store's time, which all machines share, unless time runs otherwise here.
        is_real = isinstance(clock, SystemClock) and clock.is_real
        time_ms = None if is_real else lambda: clock.now().timestamp() * 1000
        return TelegramCalls(clock, TelegramIds(redis), RateLimiter(redis, clock, time_ms=time_ms))

    async def _runner(
        self,
        stack: contextlib.AsyncExitStack,
        bot: ExtBot[None],
        telegram_calls: TelegramCalls,
        tls: ssl.SSLContext,
        chats: Chats,
        job_queue: JobQueue,
        sent: SentMessageLog,
        cards: Cards,
        redis: Any,
    ) -> JobRunner:
        settings, clock = self._settings, self._clock
        group_admins = CachedGroupAdmins(bot, telegram_calls, redis)
        pressed_messages = PressedMessages(bot, telegram_calls)
        nemo_http = await stack.enter_async_context(new_client(tls))
        media_http = await stack.enter_async_context(new_client(tls, public_only=True))
        files_http = await stack.enter_async_context(new_client(tls))
        await asyncio.to_thread(_prepare_results, settings.results_dir, clock)
        local = settings.telegram_local_mode
        responders = TelegramResponders(
            bot,
            telegram_calls,
            sent,
            FileDownloads(bot, telegram_calls, files_http, local=local, server_dir=settings.server_dir),
            Delivery(
                bot,
                telegram_calls,
                sent,
                local=local,
                send_limit=media.LOCAL_SEND_LIMIT if local else media.CLOUD_SEND_LIMIT,
                work_dir=settings.results_dir,
            ),
            clock,
            settings.progress_edit_s,
            chats.seal,
        )
        guest_accounts = GuestAccountCounter(redis, clock)
        projects = Projects(
            NemoClient(
                nemo_http,
                settings.nemo_api_url,
                media=MediaSource(media_http, AllowedHosts(settings.nemo_media_hosts).allow),
            ),
            chats,
            cards,
            guest_accounts,
            clock,
            ProjectOptions(
                web_url=settings.nemo_web_url,
                operator_token=settings.nemo_token.get_secret_value() if settings.nemo_token else None,
                size_limit=settings.max_upload_mb * MEBIBYTE,
            ),
        )
        dependencies = StepDependencies(
            projects=projects,
            chats=chats,
            cards=cards,
            job_queue=job_queue,
            group_admins=group_admins,
            close_position_message=close_position_message(job_queue, pressed_messages),
            guest_accounts=guest_accounts,
            eraser=ChatEraser(redis),
            redis=redis,
            turn_limits=TurnLimits(
                silent_s=settings.turn_silent_s,
                total_s=settings.turn_total_s,
                recovery_first_s=settings.recovery_first_s,
                recovery_every_s=settings.recovery_every_s,
                recovery_readings=settings.recovery_readings,
            ),
            render_limits=RenderLimits(settings.render_poll_s, settings.render_total_s),
        )
        steps = make_steps(dependencies)
        return JobRunner(job_queue, redis, responders, clock, steps, settings.job_tries)

    def _worker(self, docket: Docket) -> Worker:
        return Worker(
            docket,
            name=worker_name(),
            concurrency=self._settings.worker_jobs,
            redelivery_timeout=timedelta(seconds=self._settings.lease_s),
            reconnection_delay=RECONNECT_PAUSE,
            schedule_automatic_tasks=False,
        )

    def _limits(self) -> FileRefusals:
        local = self._settings.telegram_local_mode
        return FileRefusals(
            download_limit=media.LOCAL_SIZE_LIMIT if local else media.CLOUD_SIZE_LIMIT,
            upload_limit=self._settings.max_upload_mb * MEBIBYTE,
            send_limit=media.LOCAL_SEND_LIMIT if local else media.CLOUD_SEND_LIMIT,
        )


@contextlib.asynccontextmanager
async def open_job_queue(
    store: Store, settings: Settings, clock: Clock
) -> AsyncIterator[tuple[Docket, JobQueue]]:
    """The chats' queues with the limits of the settings, and docket, which holds their tickets."""
    async with Docket(name=keys.DOCKET, url=store.docket_url, execution_ttl=TICKET_TTL) as docket:
        quotas = Quotas(
            clock,
            DailyLimit(settings.daily_jobs_per_person, settings.daily_mb_per_person * MEBIBYTE),
            DailyLimit(settings.daily_jobs_per_chat, settings.daily_mb_per_chat * MEBIBYTE),
        )
        yield (
            docket,
            JobQueue(
                store.redis,
                docket,
                clock,
                quotas=quotas,
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


async def _leave(tasks: list[asyncio.Task[None]], runner: JobRunner | None) -> None:
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
