"""Wait for the chat's other topics, which share its account."""

from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Progress
from bot.jobs.worker.attempt import Attempt

PAUSE_S = 2.0  # between two looks whether the other topics are done


class TopicsAwaited(Checkpoint):
    """Saved before each pause: the attempt stops here if it was cancelled, or if another worker has the job."""

    name = "topics_awaited"


async def wait_for_other_topics(attempt: Attempt) -> None:
    """Wait until no request runs in another topic: what it paid for is out of another account's reach."""
    while await attempt.job_queue.is_other_topic_busy(attempt.job.chat):
        attempt.responder.report_progress(Progress("account.waits_for_topics"))
        await attempt.responder.show_progress()
        await attempt.save(TopicsAwaited())
        await attempt.clock.sleep(PAUSE_S)
