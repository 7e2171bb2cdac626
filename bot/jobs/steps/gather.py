"""Gather: wait until all that belongs to a request has arrived, and read its text files."""

from dataclasses import replace

from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import Gathered
from bot.jobs.messages import Button, LocalizedMessage, with_lines
from bot.jobs.model import MAX_PROMPT_CHARS, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import LONGEST_S, GatheredJob, RequestPart, links_of
from bot.jobs.refusal_messages import continues_without, with_request_kept, with_way_on
from bot.jobs.steps.text_files import read_text_files, with_text_files
from bot.jobs.worker.attempt import Attempt, JobEnded


class Gather:
    """Take in what has arrived; wait for the rest only where what is there can't be used.

    What is missing of an album, of forwards or of a long text arrives while the project is opened: `Upload` waits for
    the rest of the pause.
    """

    name = "gather"

    async def __call__(self, attempt: Attempt) -> None:
        await _ensure_begun(attempt)
        gathered = attempt.claimed.gathered
        if any(part.refusal for part in gathered.parts):
            # Read again: more may have arrived while the position message was waited for.
            gathered = await wait_until_quiet(attempt, await attempt.gathered())
        await apply_parts(attempt, gathered)


async def _ensure_begun(attempt: Attempt) -> None:
    """End a request whose project wasn't begun by the ``/new`` that it came with: it isn't meant for another one.

    Raises:
        JobEnded: It was stopped, or has failed.
    """
    new_id = attempt.job.payload_as(EditPayload).new_job_id
    status = await attempt.job_queue.find(attempt.job.chat, new_id) if new_id else None
    if not new_id or (status is not None and status.state is JobState.DONE):
        return
    if status is not None and status.state is JobState.CANCELLED:
        raise JobEnded(None, JobState.CANCELLED)
    raise JobEnded(
        LocalizedMessage("error.unexpected", buttons=(Button("button.retry", Retry(attempt.job.id)),))
    )


async def wait_until_quiet(attempt: Attempt, gathered: GatheredJob) -> GatheredJob:
    """Wait until no more parts arrive, but not forever.

    Returns:
        The job with its parts after the wait.
    """
    # While no worker had the job, perhaps no process read updates either: later parts arrive only now.
    resumed_at = attempt.began_at if attempt.claimed.attempt > 1 else 0.0
    longest_at = max(attempt.job.asked_at.timestamp(), resumed_at) + LONGEST_S
    while gathered.parts and not gathered.closed:
        ends_at = min(max(gathered.last_at, resumed_at) + gathered.pause_s, longest_at)
        # A wall clock that was set back since the last part came would put the end far off.
        left_s = min(gathered.pause_s, ends_at - attempt.clock.now().timestamp())
        if left_s <= 0:
            break
        await attempt.clock.sleep(left_s)
        if gathered.is_text_only:
            break  # Closing the job finds what came meanwhile.
        version, gathered = gathered.version, await attempt.gathered()
        if gathered.version == version:
            break
    return gathered


async def take_all(attempt: Attempt) -> None:
    """Wait for all that belongs to a request, and let nothing more join it; for a request that another job runs.

    Raises:
        JobEnded: Nothing of it can be used.
    """
    gathered = await wait_until_quiet(attempt, attempt.claimed.gathered)
    while gathered.parts and not await attempt.close(gathered.version):
        gathered = await wait_until_quiet(attempt, await attempt.gathered())
    await _send_refusals(attempt, gathered)
    attempt.job = gathered.job


async def apply_parts(attempt: Attempt, gathered: GatheredJob) -> None:
    """Go on with a request as it is gathered now; a version that was seen before isn't read again.

    Raises:
        JobEnded: There is nothing to work on, the prompt is too long, or a text file can't be used.
    """
    if (length := len(gathered.job.prompt)) > MAX_PROMPT_CHARS:
        raise JobEnded(LocalizedMessage("error.request_too_long", {"n": length, "limit": MAX_PROMPT_CHARS}))
    saved = attempt.load(Gathered)
    if saved is None or saved.version != gathered.version:
        await _send_refusals(attempt, gathered)
        known = saved.text_files if saved is not None else {}
        saved = Gathered(
            version=gathered.version,
            text_files=await read_text_files(attempt, gathered.job, known),
            last_message_id=max((part.message_id for part in gathered.parts), default=0),
        )
        if gathered.job.files:  # Words alone need no checkpoint.
            await attempt.save(saved)
    attempt.job = with_text_files(gathered.job, saved.text_files)


async def _send_refusals(attempt: Attempt, gathered: GatheredJob) -> None:
    """Say which files can't be used: of several with the same refusal the first.

    Raises:
        JobEnded: There are no others, so there is nothing to work on.
    """
    refusals: dict[str, list[tuple[int, RequestPart, LocalizedMessage]]] = {}
    with_files = [part for part in gathered.parts if part.files or part.refusal]
    for number, part in enumerate(with_files, 1):
        if part.refusal is not None and not part.files:
            refusals.setdefault(part.refusal.key, []).append((number, part, part.refusal))
    has_others = bool(gathered.job.files or links_of(gathered.job))
    for refused in refusals.values():
        _, part, refusal = refused[0]
        lines = (continues_without(*(number for number, *_ in refused)),) if has_others else ()
        # Where it goes on, nothing is left to run.
        held = replace(attempt.job, prompt="") if has_others else gathered.job
        message = with_lines(with_request_kept(with_way_on(refusal), held), lines)
        if has_others and refusal.key.startswith("link.") and "site" in refusal.params:
            message = LocalizedMessage("link.left_out", {"site": refusal.params["site"]})
        await attempt.responder.send(f"refused.{part.message_id}", message)
    if refusals and not has_others:
        raise JobEnded(None)
