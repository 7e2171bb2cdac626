"""Together: wait until all that belongs to a wish is there."""

from __future__ import annotations

from bot.jobs.gathering import LONGEST_S, Gathered
from bot.jobs.ports import Notice
from bot.jobs.runner import Ended, Run


async def gather(run: Run) -> None:
    """The step that waits for the rest of an album, or for what was forwarded with a comment.

    Words alone do not wait here: the pause that they need passes while the project is opened.
    """
    found = run.taken.gathered
    if _has_files(found):
        # Anew: more may have come since, while the job's announcement was waited for.
        found = await until_quiet(run, await run.gathered())
    run.job = found.job
    await tell_refusals(run, found)


async def until_quiet(run: Run, found: Gathered) -> Gathered:
    """Wait until no more parts come, but not for ever.

    Args:
        run: The attempt.
        found: What there is.

    Returns:
        What there is then.
    """
    # Whoever had it before may have read the updates too: what nobody read meanwhile is read only now.
    resumed_at = run.began_at if run.taken.attempt > 1 else 0.0
    longest_at = max(run.job.asked_at.timestamp(), resumed_at) + LONGEST_S
    while found.parts and not found.closed:
        ends_at = min(max(found.last_at, resumed_at) + found.pause_s, longest_at)
        # A wall clock that was set back since the last part came would put the end far off.
        left_s = min(found.pause_s, ends_at - run.clock.now().timestamp())
        if left_s <= 0:
            break
        await run.clock.sleep(left_s)
        version, found = found.version, await run.gathered()
        if found.version == version:
            break
    return found


async def tell_refusals(run: Run, found: Gathered) -> None:
    """Say which files can't be used: of several with the same trouble the first.

    Raises:
        Ended: There are no others, so there is nothing to work on.
    """
    refusals: dict[str, tuple[int, Notice]] = {}
    for part in found.parts:
        if part.refusal is not None and not part.files:
            refusals.setdefault(part.refusal.key, (part.message_id, part.refusal))
    is_over = bool(refusals) and not found.job.files and not found.job.data.get("links")
    for message_id, refusal in refusals.values():
        await run.front.say(f"refused.{message_id}", refusal)
    if is_over:
        raise Ended(None)


def _has_files(found: Gathered) -> bool:
    return any(part.files or part.refusal for part in found.parts)
