import json
from dataclasses import replace

import pytest

from bot.chats.key import ChatKey
from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, Bytes, LocalizedMessage, Seconds, UncutText
from bot.jobs.model import STORED_JOB, Attachment, Job, JobKind, QueueName, new_job_id
from bot.jobs.payloads import EditPayload, MessagePayload
from tests.jobs.conftest import new_job

FILE = Attachment("file-id", "video", "clip ünï 视频.mp4", 1234, "video/mp4")

SAY = MessagePayload(
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
        new_job(chat=ChatKey(-100123), telegram_chat_id=-1001234567890, payload=EditPayload(is_late=True)),
        new_job(kind=JobKind.MESSAGE, queue=QueueName.QUICK, payload=SAY),
        new_job(
            prompt='quotes " and \\ and\nlines, 把标题改大 🎬',
            files=(Attachment("x", "photo", "a.jpg", None, ""),),
        ),
    ],
)
def test_a_job_comes_back_as_it_was(job: Job) -> None:
    assert STORED_JOB.validate_json(STORED_JOB.dump_json(job)) == job


def test_fields_of_a_later_release_are_ignored() -> None:
    job = new_job(files=(FILE,), payload=EditPayload(links=("https://a.example/a.mp4",)))
    body = json.loads(STORED_JOB.dump_json(job))
    body["priority"] = 7
    body["files"][0]["checksum"] = "abc"
    body["payload"]["mood"] = "merry"
    assert STORED_JOB.validate_json(json.dumps(body)) == job


def test_fields_that_an_earlier_release_did_not_know_have_defaults() -> None:
    job = new_job(files=(FILE,), payload=EditPayload())
    body = json.loads(STORED_JOB.dump_json(job))
    for name in ("prompt", "telegram_chat_id", "chat_title"):
        del body[name]
    del body["files"][0]["is_result"]
    del body["payload"]["is_late"]
    assert STORED_JOB.validate_json(json.dumps(body)) == replace(job, prompt="")


def test_a_chat_has_its_own_id_in_telegram_unless_it_moved() -> None:
    chat = ChatKey(-100123, 45)
    assert new_job(chat=chat).telegram_chat_id == -100123
    assert new_job(chat=chat, telegram_chat_id=-100456).telegram_chat_id == -100456


def test_ids_differ_and_are_short() -> None:
    ids = {new_job_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)
