"""Bare answers, such as "yes", to what the bot wants decided by a button: they reach the agent only if it has asked."""

import pytest

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import KeepProject, pack
from bot.jobs.model import JobKind
from bot.telegram.sending.sent_messages import CONFIRMATION, DECIDED, SentMessageLog
from tests.telegram.test_handlers import (
    ANN,
    GROUP,
    PRIVATE,
    Json,
    Received,
    docket,
    message,
    press,
    received,
    said_key,
)

__all__ = ["docket", "received"]

HERE, FROM_ANN = ChatKey(PRIVATE["id"]), {"from": ANN}
CONFIRMED_ID = 9  # the message of the bot that wants a decision, which `press` presses too
BUTTONS: Json = {"inline_keyboard": [[{"text": "Stay", "callback_data": pack(KeepProject())}]]}


async def ask_for_decision(received: Received) -> None:
    """Ann has asked the agent before, and the bot wants something decided about message 8."""
    await received(message("/new", PRIVATE, message_id=8, **FROM_ANN))
    await received.chats.update(
        HERE, ChatFields(session_id="s", answer_job_id="answered", answer_session_id="s")
    )
    await _sent(received).record(HERE.chat_id, CONFIRMED_ID, HERE, 8, CONFIRMATION)


async def say(received: Received, text: str, message_id: int) -> str:
    (job,) = await received(message(text, PRIVATE, message_id=message_id, **FROM_ANN))
    return said_key(job) if job.kind is JobKind.MESSAGE else job.kind


async def decide(received: Received, chat: Json = PRIVATE) -> None:
    pressed = press(pack(KeepProject()), ANN, chat)
    pressed["callback_query"]["message"]["reply_markup"] = BUTTONS
    assert await received(pressed) == []


async def test_two_quick_answers_are_both_sent_to_the_buttons(received: Received) -> None:
    await ask_for_decision(received)
    # The reply to the first is not sent before the second comes.
    assert [await say(received, text, number) for number, text in enumerate(("yes", "ok"), 10)] == [
        "confirm.press"
    ] * 2


async def test_two_answers_to_what_is_decided_are_both_charged_nothing(received: Received) -> None:
    await ask_for_decision(received)
    await decide(received)
    assert await say(received, "ok", 10) == "confirm.nothing"
    await _sent(received).record(HERE.chat_id, 11, HERE, 10)  # the bot's reply
    assert await say(received, "yes", 12) == "confirm.nothing"


async def test_an_answer_that_is_edited_to_a_request_is_one(received: Received) -> None:
    await ask_for_decision(received)
    await say(received, "yes", 10)
    edited = message("yes, make it vertical", PRIVATE, message_id=10, edit_date=2, **FROM_ANN)
    (job,) = await received({"edited_message": edited["message"]})
    assert job.kind is JobKind.EDIT
    same = message("ok", PRIVATE, message_id=12, **FROM_ANN)
    await received(same)
    assert await received({"edited_message": {**same["message"], "edit_date": 2}}) == []


async def test_a_decision_is_no_message_in_between(received: Received) -> None:
    await ask_for_decision(received)
    await decide(received)
    assert await _sent(received).confirmation_before(HERE, HERE.chat_id, 10) == DECIDED
    # What comes of the decision would quote the request.
    assert not await _sent(received).is_followed(HERE, 8, but_by=8)


@pytest.mark.parametrize("chat", [GROUP, PRIVATE], ids=["group", "private"])
async def test_an_answer_in_reply_to_the_question_is_sent_to_its_buttons(
    received: Received, chat: Json
) -> None:
    bot = (await received.application.bot.get_me()).to_dict()
    asked = message("Start a new project?", chat, message_id=CONFIRMED_ID, **{"from": bot})["message"]
    with_buttons = {**asked, "reply_markup": BUTTONS}
    (job,) = await received(message("yes", chat, reply_to_message=with_buttons, **FROM_ANN))
    assert said_key(job) == "confirm.press"
    await decide(received, chat)
    (job,) = await received(message("yes", chat, message_id=12, reply_to_message=asked, **FROM_ANN))
    assert said_key(job) == "confirm.nothing"


async def test_a_format_that_a_group_mentions_behind_the_question_is_no_request(received: Received) -> None:
    name, chat = received.application.bot.username, ChatKey(GROUP["id"])
    await _sent(received).record(GROUP["id"], CONFIRMED_ID, chat, 8, CONFIRMATION)
    (job,) = await received(message(f"@{name} 9:16", GROUP, message_id=10, **FROM_ANN))
    assert said_key(job) == "confirm.press"


def _sent(received: Received) -> SentMessageLog:
    return SentMessageLog(received.redis)
