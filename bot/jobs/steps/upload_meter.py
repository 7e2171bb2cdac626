"""Shows how far an upload is, and counts its bytes."""

from collections.abc import AsyncIterator, Callable, Sequence

from bot.jobs.messages import Bytes, DoneFraction, Param, Progress
from bot.jobs.ports import OpenFile
from bot.jobs.worker.attempt import Attempt
from bot.nemo.uploads import FileToUpload
from bot.runtime import metrics


def files_to_upload(opened: Sequence[OpenFile], meter: Callable[[int], None]) -> list[FileToUpload]:
    """Prepare open files for an upload."""
    return [
        FileToUpload(file.name, file.content_type, file.size, _counted(file.chunks, meter)) for file in opened
    ]


class UploadMeter:
    """Shows how much of the job's files is sent, and after their last byte that NemoVideo reads them.

    Args:
        attempt: The attempt at the job.
        total_bytes: The size of the files.
        usual_s: Seconds that NemoVideo usually reads.

    Attributes:
        read_since_s: When the last byte was sent, in the clock's monotonic seconds.
    """

    def __init__(self, attempt: Attempt, total_bytes: int, usual_s: float) -> None:
        self._attempt = attempt
        self._total_bytes = total_bytes
        self._usual_s = usual_s
        self._done_bytes = 0
        self.read_since_s: float | None = None

    def __call__(self, length: int) -> None:
        """Count bytes that are sent."""
        self._done_bytes += length
        if self._done_bytes < self._total_bytes:
            fraction = (
                DoneFraction.CONNECTED
                + (DoneFraction.SENT - DoneFraction.CONNECTED) * self._done_bytes / self._total_bytes
            )
            params: dict[str, Param] = {"done": Bytes(self._done_bytes), "total": Bytes(self._total_bytes)}
            progress = Progress("progress.upload_sized", params, fraction)
        else:
            self.read_since_s = self._attempt.clock.monotonic_s()
            progress = Progress(
                "progress.reading",
                fraction=DoneFraction.SENT,
                until=DoneFraction.READ,
                expected_s=self._usual_s,
            )
        self._attempt.responder.report_progress(progress)


async def _counted(chunks: AsyncIterator[bytes], meter: Callable[[int], None]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        meter(len(chunk))
        metrics.UPLOADED.inc(len(chunk))
        yield chunk
