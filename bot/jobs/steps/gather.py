"""Together: wait until all that belongs to a request is there."""

from __future__ import annotations

from bot.jobs.messages import LocalizedMessage
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import LONGEST_S, GatheredJob
from bot.jobs.worker.runner import Attempt, JobEnded


async def gather(attempt: Attempt) -> None:
    """The step that waits for the rest of an album, or for what was forwarded with a comment.

    Words alone do not wait here: the pause that they need passes while the project is opened.
    """
    found = attempt.claimed.gathered
    if _has_files(found):
        # Anew: more may have come since, while the job's announcement was waited for.
        found = await until_quiet(attempt, await attempt.gathered())
    attempt.job = found.job
    await tell_refusals(attempt, found)


async def until_quiet(attempt: Attempt, found: GatheredJob) -> GatheredJob:
    """Wait until no more parts come, but not for ever.

    Args:
        attempt: The attempt.
        found: What there is.

    Returns:
        What there is then.
    """
    # Whoever had it before may have read the updates too: what nobody read meanwhile is read only now.
    resumed_at = attempt.began_at if attempt.claimed.attempt > 1 else 0.0
    longest_at = max(attempt.job.asked_at.timestamp(), resumed_at) + LONGEST_S
    while found.parts and not found.closed:
        ends_at = min(max(found.last_at, resumed_at) + found.pause_s, longest_at)
        # A wall clock that was set back since the last part came would put the end far off.
        left_s = min(found.pause_s, ends_at - attempt.clock.now().timestamp())
        if left_s <= 0:
            break
        await attempt.clock.sleep(left_s)
        version, found = found.version, await attempt.gathered()
        if found.version == version:
            break
    return found


async def tell_refusals(attempt: Attempt, found: GatheredJob) -> None:
    """Say which files can't be used: of several with the same trouble the first.

    Raises:
        Ended: There are no others, so there is nothing to work on.
    """
    refusals: dict[str, tuple[int, LocalizedMessage]] = {}
    for part in found.parts:
        if part.refusal is not None and not part.files:
            refusals.setdefault(part.refusal.key, (part.message_id, part.refusal))
    is_over = bool(refusals) and not found.job.files and not found.job.payload_as(EditPayload).links
    for message_id, refusal in refusals.values():
        await attempt.responder.send(f"refused.{message_id}", refusal)
    if is_over:
        raise JobEnded(None)


def _has_files(found: GatheredJob) -> bool:
    return any(part.files or part.refusal for part in found.parts)
