import json

import pytest

from bot.chats.key import ChatKey
from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, Bytes, LocalizedMessage, Seconds, UncutText
from bot.jobs.model import Attachment, Job, JobKind, QueueName, new_job_id
from bot.jobs.payloads import SayPayload
from tests.jobs.conftest import new_job

FILE = Attachment("file-id", "video", "clip ünï 视频.mp4", 1234, "video/mp4")

SAY = SayPayload(
    message=LocalizedMessage(
        "error.busy",
        {
            "n": 1,
            "share": 0.5,
            "name": "a.mp4",
            "size": Bytes(5),
            "left": Seconds(5),
            "word": UncutText("x"),
            "more": LocalizedMessage("size.more_than", {"size": Bytes(7)}),
        },
        (Button("button.retry", Retry("0123456789abcdef")), Button(text="site", url="https://a.example")),
    ),
    links=("https://a.example/a.mp4",),
)


@pytest.mark.parametrize(
    "job",
    [
        new_job(),
        new_job(chat=ChatKey(-1001234567890, 45), message_id=None, files=(FILE, FILE)),
        new_job(kind=JobKind.SAY, queue=QueueName.QUICK, payload=SAY),
        new_job(
            text='quotes " and \\ and\nlines, 把标题改大 🎬',
            files=(Attachment("x", "photo", "a.jpg", None, ""),),
        ),
    ],
)
def test_a_job_comes_back_as_it_was(job: Job) -> None:
    assert Job.from_json(job.to_json()) == job


def test_what_a_later_release_added_is_ignored() -> None:
    job = new_job(files=(FILE,))
    body = json.loads(job.to_json())
    body["priority"] = 7
    body["files"][0]["checksum"] = "abc"
    assert Job.from_json(json.dumps(body)) == job


def test_ids_differ_and_are_short() -> None:
    ids = {new_job_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)
