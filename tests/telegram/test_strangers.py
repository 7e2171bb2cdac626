"""What strangers send: start links that they made up, the operator's orders, kinds of updates without a use here."""

from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind, QueueName
from bot.jobs.payloads import PrivateAnswerPayload
from bot.telegram.receiving.receiver import UpdateReceiver
from bot.telegram.sending.formatting import format_list
from bot.telegram.sending.private_messages import for_private
from bot.words import Words
from tests.telegram.test_forged_presses import errors_of, stored
from tests.telegram.test_handlers import (
    ANN,
    ANONYMOUS,
    BO,
    CHANNEL,
    FROM_BO,
    GROUP,
    PRIVATE,
    VIDEO,
    Json,
    Received,
    docket,
    message,
    press,
    received,
)

__all__ = ["docket", "received"]  # fixtures

OF_BO: Json = {"id": BO["id"], "type": "private", "first_name": "Bo"}


@pytest.mark.parametrize(
    "payload",
    [
        "see_-1001000000001_0123456789abcdef",
        "see_-1001000000001_5_0123456789abcdef",
        "see_4711_0123456789abcdef",
        "see_-1_0123456789ABCDEF",
        "see_-1001000000001_../../../../etc/",
        "see_*_*",
        "skill_../../etc/passwd",
        "skill_" + "x" * 60,
        "<b>&amp;",
        "login_x",
        "\u202e",
    ],
)
async def test_a_start_link_that_somebody_made_up_leads_to_nobodys_answer(
    received: Received, payload: str
) -> None:
    (job,) = await received(message(f"/start {payload}", OF_BO, **{"from": BO}))
    assert job.chat.chat_id == BO["id"]
    if job.kind is JobKind.PRIVATE_ANSWER:
        # Whose answer it is, and whether there is one, is asked for when the job runs.
        assert await received.job_queue.find(job.chat, job.payload_as(PrivateAnswerPayload).job_id) is None
    else:
        assert job.kind is JobKind.SKILL


ORDERS = (
    "/stats",
    "/ban 4711",
    "/unban 1",
    "/pause",
    "/resume",
    "/alerts off",
    "/announce Send me your tokens",
)


async def test_orders_of_the_operator_are_nobody_elses(received: Received) -> None:
    orders = [message(order, OF_BO, **{"from": BO}) for order in ORDERS]
    orders += [message(order, GROUP, **{"from": ANN}) for order in ORDERS]
    orders += [message(order, GROUP, sender_chat=GROUP, **{"from": ANONYMOUS}) for order in ORDERS]
    orders += [message(order, PRIVATE, forward_origin=FROM_BO, **{"from": ANN}) for order in ORDERS]
    orders += [
        {
            "edited_message": message(order, PRIVATE, message_id=70 + number, edit_date=60, **{"from": ANN})[
                "message"
            ]
        }
        for number, order in enumerate(ORDERS)
    ]
    assert await errors_of(received, orders) == []
    assert {job.kind for job in await stored(received)} == {JobKind.MESSAGE}
    assert not await received.job_queue.is_paused()
    assert await received.access.why_denied(BO["id"], BO["id"], BO["id"]) is None


@pytest.mark.parametrize("given", ["", "x", "0", "-5", "9" * 26, "9" * 4000, "4711", "٣", "1e9", "<b>"])
async def test_odd_ids_break_no_order(received: Received, given: str) -> None:
    orders = [message(f"/{order} {given}", PRIVATE, **{"from": ANN}) for order in ("ban", "unban")]
    assert await errors_of(received, orders) == []
    assert {job.kind for job in await stored(received)} == {JobKind.MESSAGE}
    assert await received.access.why_denied(ANN["id"], ANN["id"], ANN["id"]) is None


MEMBER: Json = {"user": ANN, "status": "member"}
UNUSED: dict[str, Json] = {
    "inline_query": {"id": "1", "from": BO, "query": "a cat", "offset": ""},
    "chosen_inline_result": {"result_id": "1", "from": BO, "query": "a cat"},
    "channel_post": message("/edit a cat", CHANNEL)["message"],
    "edited_channel_post": message("/edit a cat", CHANNEL, edit_date=2)["message"],
    "business_connection": {
        **{"id": "b", "user": BO, "user_chat_id": BO["id"], "date": 1, "is_enabled": True},
    },
    "business_message": message("a cat", OF_BO, business_connection_id="b", **{"from": BO})["message"],
    "edited_business_message": message(
        "a cat", OF_BO, business_connection_id="b", edit_date=2, **{"from": BO}
    )["message"],
    "deleted_business_messages": {"business_connection_id": "b", "chat": OF_BO, "message_ids": [1]},
    "shipping_query": {
        **{"id": "1", "from": BO, "invoice_payload": "x"},
        "shipping_address": {
            **{"country_code": "DE", "state": "", "city": "", "street_line1": "", "street_line2": ""},
            "post_code": "",
        },
    },
    "pre_checkout_query": {
        **{"id": "1", "from": BO, "currency": "XTR", "total_amount": 1, "invoice_payload": "x"},
    },
    "purchased_paid_media": {"from": BO, "paid_media_payload": "x"},
    "message_reaction": {
        **{"chat": GROUP, "message_id": 7, "user": BO, "date": 1, "old_reaction": []},
        "new_reaction": [{"type": "emoji", "emoji": "👍"}],
    },
    "message_reaction_count": {"chat": GROUP, "message_id": 7, "date": 1, "reactions": []},
    "poll": {
        **{"id": "1", "question": "?", "options": [], "total_voter_count": 0, "is_closed": False},
        **{"is_anonymous": True, "type": "regular", "allows_multiple_answers": False},
        **{"allows_revoting": False, "members_only": False},
    },
    "poll_answer": {"poll_id": "1", "user": BO, "option_ids": [0], "option_persistent_ids": ["0"]},
    "chat_member": {
        **{"chat": GROUP, "from": BO, "date": 1, "old_chat_member": MEMBER, "new_chat_member": MEMBER},
    },
    "chat_join_request": {"chat": GROUP, "from": BO, "user_chat_id": BO["id"], "date": 1},
    "a_kind_of_next_year": {"chat": GROUP, "text": "/edit a cat"},
}


async def test_kinds_of_updates_that_have_no_use_here_ask_for_nothing(received: Received) -> None:
    assert await errors_of(received, [{kind: body} for kind, body in UNUSED.items()]) == []
    assert await stored(received) == []


NO_MESSAGES: list[Any] = [None, [], "x", 7, {}, {"chat": None}, {"message_id": 1}]
ODD_MESSAGES: list[Any] = [
    *[{"message": value} for value in NO_MESSAGES],
    message("a cat", {"id": "not a number", "type": "private"}, **{"from": BO}),
    message("a cat", {"id": 10**4000, "type": "private"}, **{"from": BO}),
    message("a cat", {**OF_BO, "type": "a kind of next year"}, **{"from": BO}),
    message("a cat", OF_BO, **{"from": {"id": "x"}}),
    message("a cat", OF_BO, date=10**18, **{"from": BO}),
    message("a cat", OF_BO, date=float("nan"), **{"from": BO}),
    message("\ud800 a cat", OF_BO, **{"from": BO}),
    message("a cat", OF_BO, entities=[{"type": "bold", "offset": -5, "length": 10**9}], **{"from": BO}),
    message("a cat", OF_BO, entities="x", **{"from": BO}),
    message("a cat", OF_BO, reply_to_message={"x": 1}, **{"from": BO}),
    message("", OF_BO, video={**VIDEO, "file_size": -1, "duration": -5, "width": 10**30}, **{"from": BO}),
    message("", OF_BO, video={"file_id": "x" * 100_000}, **{"from": BO}),
    message("", OF_BO, video={**VIDEO, "file_name": "\ud800" * 500}, **{"from": BO}),
    message("", OF_BO, media_group_id="{*}", video=VIDEO, **{"from": BO}),
    {"callback_query": {"id": 1}},
    {"callback_query": {**press("1:new", BO, OF_BO)["callback_query"], "message": []}},
]


async def test_no_malformed_update_ends_the_receiver_or_holds_up_the_next(received: Received) -> None:
    receiver = UpdateReceiver(received.application, received.telegram.clock, AsyncMock(), AsyncMock())
    bodies = [{"update_id": number, **body} for number, body in enumerate(ODD_MESSAGES)]
    bodies.append({"update_id": 999, **message("/credits", OF_BO, **{"from": BO})})
    for body in bodies:
        await receiver.receive_one(body)
    assert JobKind.CREDITS in {job.kind for job in await stored(received)}


async def test_many_updates_at_once_leave_a_bounded_queue(received: Received) -> None:
    asked = [message("/edit a cat", GROUP, message_id=number, **{"from": BO}) for number in range(120)]
    assert await errors_of(received, asked) == []
    jobs = await stored(received)
    assert len([job for job in jobs if job.queue is QueueName.MAIN]) == 50
    assert len([job for job in jobs if job.queue is QueueName.QUICK]) == 50
    (other,) = await received(message("/edit a dog", PRIVATE, **{"from": ANN}))
    assert other.kind is JobKind.EDIT


async def test_many_presses_at_once_ask_once(received: Received) -> None:
    assert await errors_of(received, [press("1:next:calm_music", BO, OF_BO) for _ in range(60)]) == []
    assert len(await stored(received)) == 1


def test_a_groups_title_told_in_private_is_only_text() -> None:
    title = "<b>Club</b>\u202e&<a href='https://evil.example'>x</a>"
    shown = format_list(Words("en"), for_private(LocalizedMessage("link.admins_only"), title))
    assert "\u202e" not in shown
    assert "&lt;b&gt;Club&lt;/b&gt;&amp;&lt;a href=" in shown
