"""People who type "try again" behind a message with that button: it does what the button does, and asks no agent."""

import pytest

from bot.chats.chats import ChatFields
from bot.jobs.model import Job, JobKind, QueueName, retry_job_id
from bot.telegram.sending.sent_messages import OFFER, RETRIABLE, SentMessageLog
from tests.telegram.test_handlers import (
    ANN,
    GROUP,
    PRIVATE,
    Json,
    Received,
    docket,
    message,
    received,
    said_key,
)

__all__ = ["docket", "received"]

BEN: Json = {"id": 4712, "is_bot": False, "first_name": "Ben"}
FAILED_ID = 9  # the message of the bot with the button


async def fail(received: Received, chat: Json = PRIVATE) -> Job:
    """Ann's request has failed, and the bot offers to try it again."""
    (job,) = await received(message("/edit make it vertical", chat, message_id=8, **{"from": ANN}))
    await received.job_queue.cancel(job.chat, QueueName.MAIN, job.id)
    sent = SentMessageLog(received.redis)
    await sent.record(chat["id"], FAILED_ID, job.chat, 8, f"{RETRIABLE}{job.id}")
    return job


@pytest.mark.parametrize("text", ["Try again", "retry please", "可以再试一次吗", "重试"])
async def test_typed_it_does_what_the_button_does_once(received: Received, text: str) -> None:
    failed = await fail(received)
    (job,) = await received(message(text, PRIVATE, message_id=10, **{"from": ANN}), times=2)
    assert (job.id, job.kind, job.prompt) == (retry_job_id(failed.id), JobKind.EDIT, "make it vertical")
    (job,) = await received(message(text, PRIVATE, message_id=11, **{"from": ANN}))
    assert said_key(job) == "retry.running"


async def test_behind_anything_else_it_is_a_request(received: Received) -> None:
    failed = await fail(received)
    await SentMessageLog(received.redis).record(PRIVATE["id"], 10, failed.chat, 8)  # the video came after all
    (job,) = await received(message("try again", PRIVATE, message_id=11, **{"from": ANN}))
    assert (job.kind, job.prompt) == (JobKind.EDIT, "")
    assert await prompt_of(received, job) == "try again"


async def test_behind_a_failure_that_left_only_the_export_it_exports(received: Received) -> None:
    failed = await fail(received)
    await SentMessageLog(received.redis).record(PRIVATE["id"], 10, failed.chat, 8, RETRIABLE)
    (job,) = await received(message("try again", PRIVATE, message_id=11, **{"from": ANN}))
    assert job.kind is JobKind.EXPORT


@pytest.mark.parametrize("content", [f"{RETRIABLE}0123456789abcdef", OFFER])
@pytest.mark.parametrize("text", ["yes", "好的", "done"])
async def test_a_bare_answer_to_an_offer_is_sent_to_its_button(
    received: Received, text: str, content: str
) -> None:
    failed = await fail(received)
    await SentMessageLog(received.redis).record(PRIVATE["id"], FAILED_ID, failed.chat, 8, content)
    spoken = ChatFields(session_id="s", answer_job_id="answered", answer_session_id="s")
    await received.chats.update(failed.chat, spoken)
    (job,) = await received(message(text, PRIVATE, message_id=10, **{"from": ANN}))
    assert said_key(job) == "confirm.press"
    (job,) = await received(message("9:16", PRIVATE, message_id=11, **{"from": ANN}))
    assert job.kind is JobKind.EDIT


async def test_with_more_words_it_is_a_request(received: Received) -> None:
    await fail(received)
    (job,) = await received(message("try again with music", PRIVATE, message_id=10, **{"from": ANN}))
    assert await prompt_of(received, job) == "try again with music"


async def test_a_group_has_to_address_the_bot(received: Received) -> None:
    failed = await fail(received, GROUP)
    assert await received(message("try again", GROUP, message_id=10, **{"from": ANN})) == []
    bot = (await received.application.bot.get_me()).to_dict()
    said = message("Something went wrong.", GROUP, message_id=FAILED_ID, **{"from": bot})["message"]
    answer = message("try again", GROUP, message_id=11, reply_to_message=said, **{"from": BEN})
    (job,) = await received(answer)
    assert said_key(job) == "toast.not_yours"
    (job,) = await received(
        message("try again", GROUP, message_id=12, reply_to_message=said, **{"from": ANN})
    )
    assert job.id == retry_job_id(failed.id)


async def test_a_mention_right_behind_it_will_do_in_a_group(received: Received) -> None:
    failed = await fail(received, GROUP)
    name = received.application.bot.username
    (job,) = await received(message(f"@{name} 再试一次", GROUP, message_id=10, **{"from": ANN}))
    assert job.id == retry_job_id(failed.id)


async def prompt_of(received: Received, job: Job) -> str:
    status = await received.job_queue.find(job.chat, job.id)
    assert status is not None
    return status.job.prompt
