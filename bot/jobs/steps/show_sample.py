"""Show the sample clip that a request is about."""

from bot.jobs.messages import LocalizedMessage, SampleClip
from bot.jobs.sample_clip import SAMPLE
from bot.jobs.worker.attempt import Attempt


class ShowSample:
    """Send the sample clip to the chat before it is edited."""

    name = "show_sample"

    async def __call__(self, attempt: Attempt) -> None:
        if any(file.file_id == SAMPLE.file_id for file in attempt.job.files):
            await attempt.responder.send("sample", SampleClip(LocalizedMessage("sample.caption")))
