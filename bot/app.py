"""Wires everything together: one process of the bot, for intake, for work, or for both."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis
from telegram.error import BadRequest, InvalidToken

from bot.chats.access_control import AccessControl
from bot.chats.chats import Chats
from bot.chats.telegram_ids import TelegramIds
from bot.chats.token_cipher import TokenCipher
from bot.job_types import JOB_TYPES, StepDependencies
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import QueueName
from bot.jobs.queue.alert_checks import AlertChecks
from bot.jobs.queue.credit_limits import CreditLimits, DailyCredits
from bot.jobs.queue.erase_chat import ChatEraser
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.open_job_queue import open_job_queue
from bot.jobs.queue.operator_alerts import OperatorAlerts
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.steps.export import RenderLimits
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.worker.position_messages import PositionMessages
from bot.jobs.worker.runner import JobRunner
from bot.jobs.worker.store_metrics import update_metrics
from bot.jobs.worker.stuck_job_monitor import StuckJobMonitor
from bot.jobs.worker.supervisor import WorkerSupervisor, new_worker
from bot.media.transcription import Transcriber
from bot.nemo.answers import tokens_link
from bot.nemo.client import MediaSource, NemoClient
from bot.projects.guest_account_count import GuestAccountCounter
from bot.projects.operator_token import OperatorToken
from bot.projects.projects import ProjectOptions, Projects
from bot.runtime import metrics
from bot.runtime.clock import Clock, SystemClock
from bot.runtime.hosts import AllowedHosts
from bot.runtime.http import Transport, new_client
from bot.runtime.process import Role, raise_open_files
from bot.runtime.setting_types import revealed
from bot.runtime.tasks import in_background
from bot.settings import MEBIBYTE, Settings
from bot.skills.cards import SkillCards
from bot.startup import (
    CannotStart,
    TelegramRefuses,
    connect_store,
    connected_bot,
    describe_setup,
    load_files,
)
from bot.store import keys
from bot.store.connect import answers
from bot.store.polling_lock import PollingLock
from bot.store.schema import watch_schema
from bot.telegram.handlers.button_presses import ButtonPresses
from bot.telegram.handlers.cancel import close_position_message
from bot.telegram.handlers.handler_family import HandlerServices
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import Permissions
from bot.telegram.handlers.registration import register_handlers
from bot.telegram.reading import attachments
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import new_application
from bot.telegram.receiving.receiver import UpdateReceiver
from bot.telegram.receiving.webhook import ensure_webhook, watch_webhook
from bot.telegram.sending.alert_messages import TelegramAlertMessages
from bot.telegram.sending.api_calls import TelegramCalls
from bot.telegram.sending.bot import TelegramBot, new_bot
from bot.telegram.sending.command_menu import CommandMenu
from bot.telegram.sending.delivery import DeliveryOptions
from bot.telegram.sending.downloads import FileDownloads
from bot.telegram.sending.group_admins import CachedGroupAdmins
from bot.telegram.sending.guest_messages import GuestMessages
from bot.telegram.sending.located_messages import LocatedMessages
from bot.telegram.sending.private_topics import PrivateTopics
from bot.telegram.sending.rate_limiter import RateLimiter, SendPriority
from bot.telegram.sending.responders import TelegramResponders
from bot.telegram.sending.result_files import prepare_results
from bot.telegram.sending.sent_messages import SentMessageLog
from bot.web.health import Health

if TYPE_CHECKING:
    from bot.web.webhook import Webhook

log = structlog.get_logger(__name__)


QUICK_JOBS = 1000
"""Quick jobs that one process runs concurrently, beside those of ``WORKER_JOBS``.

Most wait for a service, some for minutes, and take about 50 kB meanwhile.
"""

POLLING_LOCK_TTL_S = 5.0  # a standby polls so long after the poller fell silent, at the latest


@dataclass(frozen=True, slots=True)
class _Parts:
    """What intake and worker share."""

    redis: Redis
    tls: ssl.SSLContext
    bot: TelegramBot
    job_queue: JobQueue
    chats: Chats
    cards: SkillCards
    sent: SentMessageLog
    telegram_ids: TelegramIds
    telegram_calls: TelegramCalls
    located_messages: LocatedMessages
    group_admins: CachedGroupAdmins
    guest_mode_messages: GuestMessages
    guest_accounts: GuestAccountCounter
    alerts: OperatorAlerts


class App:
    """One process of the bot."""

    def __init__(self, settings: Settings, clock: Clock, role: Role, *, paused: bool = False) -> None:
        if settings.telegram_bot_token is None:
            raise CannotStart(
                "TELEGRAM_BOT_TOKEN is not set: get one from @BotFather, or try everything without it: "
                "nemovideo-bot sandbox"
            )
        self._token = settings.telegram_bot_token.get_secret_value()
        self._settings = settings
        self._clock = clock
        self._role = role
        self._paused = paused

    async def run(self, stop: asyncio.Event, ready: asyncio.Event | None = None) -> None:
        """Run until asked to stop; then give running jobs back and return.

        Args:
            stop: Set it to end.
            ready: Is set when updates and jobs are being taken.

        Raises:
            CannotStart: Telegram refuses the token, or something else has to be put right first.
            StoreError: The store can't be used.
        """
        settings, started = self._settings, asyncio.Event()
        raise_open_files(0 if self._role is Role.INTAKE else settings.worker_jobs + QUICK_JOBS)
        health = Health(started=started.is_set)
        async with contextlib.AsyncExitStack() as stack:
            webhook = await self._serve(stack, health)
            # Takes as long as starting the store, and waits for nothing.
            loading = asyncio.create_task(asyncio.to_thread(load_files, settings))
            store = await connect_store(stack, settings, self._clock, stop)
            if store is None:
                return
            tls, cards = await loading
            health.store = store.redis.ping
            token_cipher = await TokenCipher.of_store(
                store.redis, settings.encryption_keys, settings.data_dir
            )
            job_queue = await stack.enter_async_context(open_job_queue(store, settings, self._clock))
            if self._paused:
                await job_queue.pause(also_running=True)
            # No step waits longer for one thing than for an answer of the agent or for a render.
            monitor = StuckJobMonitor(
                store.redis, self._clock, 2 * max(settings.turn_total_s, settings.render_total_s)
            )
            guest_accounts = GuestAccountCounter(store.redis, self._clock)
            health.before_metrics = partial(
                update_metrics, job_queue.statistics, monitor, guest_accounts, self._token.encode()
            )
            rate_limiter = self._rate_limiter(store.redis)
            bot = await stack.enter_async_context(self._bot(tls, rate_limiter, stop))
            if stop.is_set():
                return
            health.telegram = lambda: True
            telegram_ids = TelegramIds(store.redis)
            telegram_calls = TelegramCalls(bot, self._clock, telegram_ids, rate_limiter)
            chats = Chats(store.redis, token_cipher, settings.chat_ttl_days)
            located_messages = LocatedMessages(telegram_calls)
            messages = TelegramAlertMessages(bot, located_messages)
            parts = _Parts(
                redis=store.redis,
                tls=tls,
                bot=bot,
                job_queue=job_queue,
                chats=chats,
                cards=cards,
                sent=SentMessageLog(store.redis),
                telegram_ids=telegram_ids,
                telegram_calls=telegram_calls,
                located_messages=located_messages,
                group_admins=CachedGroupAdmins(telegram_calls, store.redis),
                guest_mode_messages=GuestMessages(telegram_calls, store.redis),
                guest_accounts=guest_accounts,
                alerts=OperatorAlerts(store.redis, job_queue, chats, self._clock, settings.admins, messages),
            )
            tasks = [
                asyncio.create_task(metrics.measure_loop_lag(), name="loop lag"),
                asyncio.create_task(monitor.run(), name="stuck jobs"),
                asyncio.create_task(watch_schema(store.redis), name="schema"),
            ]
            runner = None
            if self._role is not Role.INTAKE:
                runner, supervisors = await self._start_workers(stack, parts, health)
                forever = (runner.listen(), runner.sweep(), self._keep_alerts(parts))
                tasks += map(asyncio.create_task, (*forever, *(one.run() for one in supervisors)))
            if self._role is not Role.WORKER:
                receiver = await self._new_receiver(stack, parts)
                receiving = (
                    self._poll(receiver, parts.redis, health)
                    if webhook is None
                    else self._receive_webhook(receiver, webhook, parts)
                )
                tasks.append(asyncio.create_task(receiving, name="intake"))
            started.set()
            log.info("app.ready", bot=bot.username, **describe_setup(settings, self._role, parts.cards))
            if ready is not None:
                ready.set()
            try:
                await _wait_until(stop, tasks)
            finally:
                await _end(tasks, runner)
        log.info("app.stopped", role=self._role)

    async def _start_workers(
        self, stack: contextlib.AsyncExitStack, parts: _Parts, health: Health
    ) -> tuple[JobRunner, list[WorkerSupervisor]]:
        menu = CommandMenu(parts.bot, parts.redis, self._clock, self._settings.admins)
        await stack.enter_async_context(in_background(menu.run()))
        runner = await self._runner(stack, parts)
        settings = self._settings
        places = {QueueName.MAIN: settings.worker_jobs, QueueName.QUICK: QUICK_JOBS}
        # In real time, as docket's heartbeats are, whatever the clock is.
        supervisors = [
            WorkerSupervisor(
                docket,
                partial(new_worker, docket, places[name], settings.dead_worker_s),
                partial(answers, parts.redis),
                SystemClock(),
            )
            for name, docket in parts.job_queue.tickets.dockets.items()
        ]
        health.worker = lambda: all(supervisor.is_alive for supervisor in supervisors)
        metrics.WORKER.set_function(health.worker)
        health.hangs = lambda: any(supervisor.hangs for supervisor in supervisors)
        return runner, supervisors

    async def _keep_alerts(self, parts: _Parts) -> None:
        settings = self._settings
        uses_guests = settings.nemo_token is None or settings.fallback_to_guest
        guest_accounts = parts.guest_accounts if uses_guests else None
        checks = AlertChecks(parts.alerts, guest_accounts, parts.job_queue.statistics, settings.data_dir)
        await parts.alerts.run(checks.run)

    @contextlib.asynccontextmanager
    async def _bot(
        self, tls: ssl.SSLContext, rate_limiter: RateLimiter, stop: asyncio.Event
    ) -> AsyncIterator[TelegramBot]:
        settings = self._settings
        bot = new_bot(
            self._token,
            settings.telegram_api_url,
            lambda: Transport(tls, proxy=revealed(settings.telegram_proxy)),
            rate_limiter,
            local=settings.telegram_local_mode,
            link_hosts=[settings.nemo_api_url, settings.nemo_web_url],
        )
        async with connected_bot(bot, settings, self._clock, stop):
            yield bot

    async def _serve(self, stack: contextlib.AsyncExitStack, health: Health) -> Webhook | None:
        """Serve the web app, if there is one; the webhook does not take updates yet."""
        settings = self._settings
        if not (settings.webhook_url or settings.http_listen):
            return None
        # Imported here: a bot that serves nothing starts sooner without.
        from bot.web.app import HEALTH_PATH, MAX_REQUESTS, create_app
        from bot.web.serve import serve
        from bot.web.webhook import Webhook

        webhook = None
        path = ""
        if settings.webhook_url and settings.webhook_secret and self._role is not Role.WORKER:
            webhook = Webhook(settings.webhook_secret.get_secret_value(), self._clock)
            health.webhook = lambda: webhook is not None and webhook.is_set
            path = urlsplit(settings.webhook_url).path
        if settings.http_listen or webhook is not None:
            host, port = settings.listen
            app = create_app(health, webhook, path)
            try:
                url = await stack.enter_async_context(
                    serve(app, host, port, max_requests=MAX_REQUESTS, unbounded_paths=(HEALTH_PATH,))
                )
            except OSError as error:
                raise CannotStart(f"HTTP_LISTEN: {host}:{port} can't be used: {error.strerror}") from error
            log.info("web.ready", url=url)
        return webhook

    async def _new_receiver(self, stack: contextlib.AsyncExitStack, parts: _Parts) -> UpdateReceiver:
        settings, bot, local = self._settings, parts.bot, self._settings.telegram_local_mode
        application = new_application(bot, parts.telegram_ids)
        submitter = JobSubmitter(
            parts.job_queue,
            parts.chats,
            parts.sent,
            parts.cards,
            self._clock,
            application,
            parts.telegram_calls,
        )
        services = HandlerServices(
            application=application,
            submitter=submitter,
            permissions=Permissions(parts.group_admins),
            access=AccessControl(
                parts.redis, settings.allowed_users, settings.allowed_chats, settings.admins
            ),
            refusals=FileRefusals(
                download_limit=attachments.LOCAL_SIZE_LIMIT if local else attachments.CLOUD_SIZE_LIMIT,
                upload_limit=settings.max_upload_mb * MEBIBYTE,
                send_limit=attachments.LOCAL_SEND_LIMIT if local else attachments.CLOUD_SEND_LIMIT,
            ),
            telegram_ids=parts.telegram_ids,
            presses=ButtonPresses(submitter, parts.located_messages),
            guest_mode_messages=parts.guest_mode_messages,
            tokens_link=tokens_link(settings.nemo_web_url),
            alerts=parts.alerts,
            admins=settings.admins,
        )
        register_handlers(services)
        await application.initialize()
        await application.start()
        stack.push_async_callback(application.stop)
        return UpdateReceiver(application, self._clock, parts.alerts.send, parts.alerts.clear)

    async def _poll(self, receiver: UpdateReceiver, redis: Redis, health: Health) -> None:
        """Poll while no other process does: Telegram would answer to each of them with a conflict."""
        lock = PollingLock(redis, keys.POLLING_LOCK, min(POLLING_LOCK_TTL_S, self._settings.dead_worker_s))
        metrics.POLLING.set_function(lambda: lock.is_held and receiver.is_answered)
        health.telegram = lambda: receiver.is_answered or not lock.is_held
        await lock.run(receiver.run)

    async def _receive_webhook(self, receiver: UpdateReceiver, webhook: Webhook, parts: _Parts) -> None:
        url, secret = self._settings.webhook_url, self._settings.webhook_secret
        assert url is not None and secret is not None  # noqa: S101, PT018 - there would be no webhook
        webhook.open(receiver.receive_one)
        try:
            await ensure_webhook(parts.bot, parts.redis, url, secret.get_secret_value(), self._clock)
            webhook.is_set = True
            # In real time, as Telegram's errors are.
            await watch_webhook(parts.bot, SystemClock(), metrics.POLLING.set)
        except BadRequest as error:
            raise TelegramRefuses(f"WEBHOOK_URL is refused by Telegram: {error.message}") from error
        finally:
            await webhook.close()

    def _rate_limiter(self, redis: Redis) -> RateLimiter:
        clock = self._clock
        # The store's time, which all machines share, unless the clock here runs differently.
        time_ms = None if isinstance(clock, SystemClock) else lambda: clock.now().timestamp() * 1000
        return RateLimiter(redis, clock, time_ms=time_ms)

    async def _runner(self, stack: contextlib.AsyncExitStack, parts: _Parts) -> JobRunner:
        settings, redis = self._settings, parts.redis
        projects = await self._projects(stack, parts)
        responders = await self._new_responders(stack, parts)
        daily_credits = DailyCredits(settings.daily_credits, settings.daily_credits_per_person)
        usual_times = UsualTimes(redis)
        dependencies = StepDependencies(
            projects=projects,
            chats=parts.chats,
            cards=parts.cards,
            topics=PrivateTopics(parts.telegram_calls),
            group_admins=parts.group_admins,
            close_position_message=close_position_message(parts.job_queue, parts.located_messages),
            guest_accounts=parts.guest_accounts,
            eraser=ChatEraser(redis),
            usual_times=usual_times,
            turn_limits=TurnLimits(
                silent_s=settings.turn_silent_s,
                total_s=settings.turn_total_s,
                recovery_first_s=settings.recovery_first_s,
                recovery_every_s=settings.recovery_every_s,
                recovery_readings=settings.recovery_readings,
            ),
            credit_limits=CreditLimits(redis, self._clock, daily_credits, parts.alerts.send),
            render_limits=RenderLimits(settings.render_poll_s, settings.render_total_s),
            transcriber=await self._transcriber(stack, parts),
        )
        edit = partial(parts.located_messages.show, priority=SendPriority.EDIT)
        positions = PositionMessages(parts.job_queue, usual_times, responders, parts.chats, self._clock, edit)
        steps = {job_type.kind: job_type.make_steps(dependencies) for job_type in JOB_TYPES}
        send_alert = parts.alerts.send
        return JobRunner(
            parts.job_queue,
            redis,
            parts.chats,
            responders,
            self._clock,
            steps,
            settings.job_attempts,
            positions,
            partial(ended_by, projects),
            send_alert,
        )

    async def _transcriber(self, stack: contextlib.AsyncExitStack, parts: _Parts) -> Transcriber | None:
        settings = self._settings
        if settings.transcribe_url is None:
            return None
        http = await stack.enter_async_context(new_client(parts.tls))
        key = revealed(settings.transcribe_key) or ""
        return Transcriber(http, settings.transcribe_url, key, settings.transcribe_model)

    async def _projects(self, stack: contextlib.AsyncExitStack, parts: _Parts) -> Projects:
        settings = self._settings
        alert = "alert.token_refused_guests" if settings.fallback_to_guest else "alert.token_refused"
        proxy = revealed(settings.nemo_proxy)
        nemo_http = await stack.enter_async_context(new_client(parts.tls, proxy=proxy))
        media_http = await stack.enter_async_context(new_client(parts.tls, public_only=True, proxy=proxy))
        return Projects(
            NemoClient(
                nemo_http,
                settings.nemo_api_url,
                media=MediaSource(media_http, AllowedHosts(settings.nemo_media_hosts).allow),
            ),
            parts.chats,
            parts.cards,
            parts.guest_accounts,
            self._clock,
            OperatorToken(
                parts.redis,
                revealed(settings.nemo_token),
                falls_back_to_guests=settings.fallback_to_guest,
                alert=partial(parts.alerts.send, "token_refused", LocalizedMessage(alert)),
            ),
            ProjectOptions(web_url=settings.nemo_web_url, size_limit=settings.max_upload_mb * MEBIBYTE),
        )

    async def _new_responders(self, stack: contextlib.AsyncExitStack, parts: _Parts) -> TelegramResponders:
        settings, telegram_calls = self._settings, parts.telegram_calls
        proxy = revealed(settings.telegram_proxy)
        files_http = await stack.enter_async_context(new_client(parts.tls, proxy=proxy))
        now_s = self._clock.now().timestamp()
        await asyncio.to_thread(prepare_results, settings.data_dir, settings.shared_dir, now_s)
        local, server_dir = settings.telegram_local_mode, settings.server_dir
        return TelegramResponders(
            telegram_calls,
            parts.sent,
            FileDownloads(
                telegram_calls,
                files_http,
                local=local,
                server_dir=server_dir,
                send_alert=parts.alerts.send,
            ),
            DeliveryOptions(
                local_mode=local,
                max_send_bytes=attachments.LOCAL_SEND_LIMIT if local else attachments.CLOUD_SEND_LIMIT,
                work_dir=settings.results_dir,
            ),
            settings.progress_edit_s,
            parts.chats.encrypt,
            parts.guest_mode_messages,
            parts.chats.language_for,
            settings.staging_chat,
        )


async def _wait_until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Wait for ``stop``; a task that ends before raises its error."""
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    except InvalidToken as error:
        raise TelegramRefuses("TELEGRAM_BOT_TOKEN is not valid any more: look it up at @BotFather") from error
    finally:
        stopping.cancel()


async def _end(tasks: list[asyncio.Task[None]], runner: JobRunner | None) -> None:
    # First no more tickets are claimed, then the running jobs stop where they are and are given back.
    for task in tasks:
        task.cancel()
    if runner is not None:
        runner.drain()
    await asyncio.gather(*tasks, return_exceptions=True)
