"""Every figure that ``/metrics`` gives. Labels come from small fixed sets, and never name a chat, a person or a job."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of what :func:`render` gives."""

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)

# Receiving ------------------------------------------------------------------------------------------------

UPDATES = Counter(
    "nemovideo_updates",
    "Updates from Telegram: received; then stored, repeated, unreadable or failed; the rest asked for nothing.",
    ["outcome"],
)
POLLING = Gauge("nemovideo_polling", "Whether this process holds the lease and polls.")

# Jobs -----------------------------------------------------------------------------------------------------

JOBS = Counter(
    "nemovideo_jobs", "Jobs that ended, by kind and by how: done, failed or cancelled.", ["kind", "outcome"]
)
JOBS_RUNNING = Gauge("nemovideo_jobs_running", "Jobs that run in this process.")
JOB_OLDEST = Gauge(
    "nemovideo_job_oldest_seconds",
    "How long ago the oldest job began that runs in any process; grows without end if one hangs.",
)
JOB_SILENT = Gauge(
    "nemovideo_job_silent_seconds",
    "How long the running job has saved nothing that did so longest ago; the same for every process.",
)
STEP_INTERRUPTED = "interrupted"
STEP = Histogram(
    "nemovideo_step_seconds",
    "Time in each step of a job, by how it came out: done, failed, cancelled, or interrupted to be taken up again.",
    ["step", "outcome"],
    buckets=_SECONDS,
)
QUEUE = Gauge("nemovideo_queue_jobs", "Edits that wait in all chats; the same for every process.")
QUEUE_AGE = Gauge("nemovideo_queue_oldest_seconds", "How long the one of them has waited that waits longest.")

# NemoVideo ------------------------------------------------------------------------------------------------

UPLOADED = Counter("nemovideo_upload_bytes", "Bytes sent to NemoVideo.")
DOWNLOADED = Counter("nemovideo_download_bytes", "Bytes of finished videos.")
ERRORS = Counter(
    "nemovideo_errors", "Errors of NemoVideo that ended a job, by its code or the HTTP status.", ["code"]
)
GUEST_TOKENS_LEFT = Gauge(
    "nemovideo_guest_tokens_left", "Guest accounts that NemoVideo still gives this week, about."
)

# Sending --------------------------------------------------------------------------------------------------

SENDS = Counter(
    "nemovideo_sends",
    "Calls to Telegram, by urgency (answer, live, edit, or free of limits) and by what came of them.",
    ["urgency", "outcome"],
)
SEND_WAIT = Histogram(
    "nemovideo_send_wait_seconds",
    "How long a message waited for its turn under the flood limits.",
    ["urgency"],
    buckets=_SECONDS,
)
EDITS_PUT_OFF = Counter(
    "nemovideo_edits_put_off", "Edits of live messages that stood back behind what is more urgent."
)

# Media ----------------------------------------------------------------------------------------------------

DECODERS_DIED = Counter(
    "nemovideo_decoders_died",
    "Decoders of media that crashed or went beyond their bounds: each costs a cover or a conversion.",
)

# The process ----------------------------------------------------------------------------------------------

LOOP_LAG = Histogram(
    "nemovideo_event_loop_lag_seconds",
    "How late the event loop wakes a task: the time in which nothing else could run.",
    buckets=(0.005, 0.01, 0.05, 0.1, 0.5, 1, 5),
)

LOOK_EVERY_S = 0.5


async def watch_loop() -> None:
    """Measure how late the event loop is, for ever."""
    while True:
        began_s = time.monotonic()
        await asyncio.sleep(LOOK_EVERY_S)
        LOOP_LAG.observe(max(0.0, time.monotonic() - began_s - LOOK_EVERY_S))


def render() -> bytes:
    """All figures, as Prometheus reads them."""
    return generate_latest(REGISTRY)
