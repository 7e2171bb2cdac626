"""Every metric of ``/metrics``. Label values come from small sets, and never name a chat, a person or a job."""

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST  # the content type of what :func:`render` returns
_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)

# Receiving ------------------------------------------------------------------------------------------------

UPDATES = Counter(
    "nemovideo_updates",
    "Updates from Telegram: received, then stored, repeated, unreadable, failed, or not_stored (each try while the "
    "store is away); the others asked for nothing.",
    ["outcome"],
)
POLLING = Gauge(
    "nemovideo_polling",
    "Whether this process polls Telegram, and is answered; with a webhook whether Telegram answers and delivers.",
)
POLLS = Counter(
    "nemovideo_polls",
    "Polls of Telegram: ok, failed, or conflict if another program polls with the same token.",
    ["outcome"],
)

# Jobs -----------------------------------------------------------------------------------------------------

JOBS = Counter(
    "nemovideo_jobs", "Jobs that ended, by kind and outcome: done, failed or cancelled.", ["kind", "outcome"]
)
JOBS_RUNNING = Gauge(
    "nemovideo_jobs_running",
    "Jobs running in this process, by queue: main (up to WORKER_JOBS) or quick, such as questions and refusals.",
    ["queue"],
)
JOB_OLDEST = Gauge(
    "nemovideo_job_oldest_seconds",
    "Age of the oldest running job of all processes; grows without end if a job hangs.",
)
JOB_SILENT = Gauge(
    "nemovideo_job_silent_seconds",
    "Longest time since a running job saved a checkpoint; the same for every process.",
)
WORKER = Gauge(
    "nemovideo_worker",
    "Whether both of this process's workers, for the main and the quick queues, take jobs.",
)
SWEEP = Gauge("nemovideo_sweep_seconds", "How long the last sweep over all queues took in this process.")
STEP_INTERRUPTED = "interrupted"
STEP = Histogram(
    "nemovideo_step_seconds",
    "Time in each step of a job, by outcome: done, failed, cancelled, asking, or interrupted to be resumed.",
    ["step", "outcome"],
    buckets=_SECONDS,
)
QUEUE = Gauge("nemovideo_queue_jobs", "Edits waiting in all chats; the same for every process.")
QUEUE_AGE = Gauge(
    "nemovideo_queue_oldest_seconds",
    "Longest time that one of them has waited which could run: none of its chat's jobs runs or asks.",
)
REQUESTS_TODAY = Gauge("nemovideo_requests_today", "Requests since midnight UTC; the same for every process.")
TOP_REQUESTS = Gauge(
    "nemovideo_person_requests_today",
    "Requests since midnight UTC of the people who made most; a person is a keyed hash of their id.",
    ["person"],
)

# NemoVideo ------------------------------------------------------------------------------------------------

UPLOADED = Counter("nemovideo_upload_bytes", "Bytes sent to NemoVideo.")
DOWNLOADED = Counter("nemovideo_download_bytes", "Bytes of finished videos.")
ERRORS = Counter(
    "nemovideo_errors", "Errors of NemoVideo that ended a job, by code or HTTP status.", ["code"]
)
RENDER = Histogram(
    "nemovideo_render_seconds",
    "Parts of waiting for a video: queue at NemoVideo, render, and download.",
    ["part"],
    buckets=_SECONDS,
)
CREDITS_LEFT = Gauge(
    "nemovideo_credits_left",
    "Credits of NEMO_TOKEN's account when it was last read; NaN if it is not used. The same for every process.",
)
CREDITS_TODAY = Gauge(
    "nemovideo_credits_today", "Credits that it spent since midnight UTC; the same for every process."
)
ACCOUNTS_SPENT = Gauge(
    "nemovideo_accounts_credits_today",
    "Credits that the accounts of chats spent since midnight UTC, by kind: own (/login) or guest.",
    ["kind"],
)
ACCOUNTS_LEFT = Gauge(
    "nemovideo_accounts_credits_left",
    "Credits of those that were used since midnight UTC, when each was last read.",
    ["kind"],
)
TOP_ACCOUNT_SPENT = Gauge(
    "nemovideo_account_credits_today",
    "Credits of the accounts that spent most since midnight UTC; a chat is a keyed hash of its id.",
    ["kind", "chat"],
)
TOP_ACCOUNT_LEFT = Gauge(
    "nemovideo_account_credits_left", "What those had left when they were last read.", ["kind", "chat"]
)
GUEST_TOKENS_LEFT = Gauge(
    "nemovideo_guest_tokens_left", "Guest accounts that NemoVideo still allows this week, approximately."
)

# Sending --------------------------------------------------------------------------------------------------

SENDS = Counter(
    "nemovideo_sends",
    "Calls to Telegram, by priority (answer, progress, edit, or free of limits) and outcome.",
    ["priority", "outcome"],
)
SEND_WAIT = Histogram(
    "nemovideo_send_wait_seconds",
    "How long a message waited for the rate limiter.",
    ["priority"],
    buckets=_SECONDS,
)
EDITS_POSTPONED = Counter(
    "nemovideo_edits_postponed", "Edits of progress messages that were postponed for more urgent calls."
)

# Media ----------------------------------------------------------------------------------------------------

DECODERS_DIED = Counter(
    "nemovideo_decoders_died",
    "Media decoders that crashed or exceeded their bounds: each costs a cover or a conversion.",
)

# The process ----------------------------------------------------------------------------------------------

LOOP_LAG = Histogram(
    "nemovideo_event_loop_lag_seconds",
    "How late the event loop wakes a task: the time for which it was blocked.",
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)

LAG_INTERVAL_S = 0.5


async def measure_loop_lag() -> None:
    """Measure the event loop's lag, forever."""
    while True:
        started_s = time.monotonic()
        await asyncio.sleep(LAG_INTERVAL_S)
        LOOP_LAG.observe(max(0.0, time.monotonic() - started_s - LAG_INTERVAL_S))


def render() -> bytes:
    """Return all metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)
