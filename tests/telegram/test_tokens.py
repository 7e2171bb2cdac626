"""Tokens in messages: deleted before anything else reads them, and never stored or sent on."""

from typing import Any

import pytest

from bot.jobs.model import STORED_JOB, JobKind
from bot.jobs.payloads import DeleteTokenPayload, LoginPayload
from bot.runtime.tokens import has_bot_token, token_in
from tests.telegram.test_handlers import ANN, FROM_BO, GROUP, PRIVATE, Received, docket, message, received

__all__ = ["docket", "received"]  # fixtures

NEMO = "nmv_usr_tokenofmine"
BOT = "7000000002:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"
VIDEO = {"file_id": "v", "file_unique_id": "u", "width": 320, "height": 240, "duration": 6, "file_size": 9}


async def deleted(received: Received) -> list[int]:
    return [
        int(call["params"]["message_id"]) for call in await received.telegram.people.calls("deleteMessage")
    ]


@pytest.mark.parametrize(
    "command", ["/start", "/new", "/help", "/export", "/skill", "/cancel", "/edit", "/what", "/login"]
)
async def test_a_token_behind_any_command_is_used_and_deleted(received: Received, command: str) -> None:
    jobs = await received(message(f"{command} {NEMO}", PRIVATE, **{"from": ANN}))
    assert {job.kind for job in jobs} == {JobKind.DELETE_TOKEN, JobKind.LOGIN}
    assert await deleted(received) == [7]
    assert not any(NEMO in STORED_JOB.dump_json(job).decode() for job in jobs)


@pytest.mark.parametrize(
    "between", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\ufe0f", "\u034f", "\u3164", "\U000e0041"], ids=ascii
)
async def test_a_token_that_something_unseen_splits_is_one(received: Received, between: str) -> None:
    split = between.join(NEMO)
    jobs = await received(message(f"a cat {split}", PRIVATE, **{"from": ANN}))
    assert {job.kind for job in jobs} == {JobKind.DELETE_TOKEN, JobKind.LOGIN}
    (login,) = [job for job in jobs if job.kind is JobKind.LOGIN]
    encrypted = login.payload_as(LoginPayload).encrypted_token
    assert received.chats.decrypt(login.chat, LoginPayload.use, encrypted) == NEMO
    assert has_bot_token(between.join(BOT))


@pytest.mark.parametrize(("digits", "is_one"), [(5, False), (6, True), (12, True)])
def test_old_bots_have_short_numbers(digits: int, is_one: bool) -> None:
    assert has_bot_token(f"{'7' * digits}:{BOT.partition(':')[2]}") is is_one


def test_a_token_in_wide_characters_is_one() -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) for c in NEMO)
    assert token_in(f"看 {wide}") == NEMO


QUOTE = {"text": f"use {NEMO}", "position": 0, "is_manual": True}
REPLIED = {"message_id": 5, "date": 1, "chat": PRIVATE, "from": ANN, "text": f"my token: {NEMO}"}


@pytest.mark.parametrize(
    ("body", "key", "message_id"),
    [
        (message(f"a cat {NEMO}", PRIVATE, forward_origin=FROM_BO), "deleted_in_private", 7),
        (
            {"edited_message": message(f"a cat {NEMO}", PRIVATE, edit_date=2)["message"]},
            "deleted_in_private",
            7,
        ),
        (message("a cat", PRIVATE, quote=QUOTE), "deleted_in_private", 7),
        (message("a cat", PRIVATE, reply_to_message=REPLIED), "deleted_in_private", 5),
        (message(f"/start {BOT}", PRIVATE), "bot_token_deleted", 7),
        (message("", PRIVATE, video=VIDEO, caption=f"a cat, {BOT}"), "bot_token_deleted", 7),
        (message(f"a cat {NEMO}", GROUP), "deleted_in_group", 7),
        (message(f"/new@some_bot {BOT}", GROUP), "bot_token_deleted", 7),
    ],
    ids=["forwarded", "edited", "quoted", "answered", "bot's", "caption", "group", "another bot's command"],
)
async def test_a_token_in_any_text_is_deleted_told_and_goes_nowhere(
    received: Received, body: dict[str, Any], key: str, message_id: int
) -> None:
    (held,) = body.values()
    held["from"] = ANN
    (job,) = await received(body)
    assert job.message_id is None  # No answer quotes it.
    payload = job.payload_as(DeleteTokenPayload)
    assert payload.deleted is not None
    assert (payload.deleted.key, payload.message_id) == (f"login.{key}", message_id)
    assert await deleted(received) == [message_id]
    stored = STORED_JOB.dump_json(job).decode()
    assert NEMO not in stored
    assert BOT not in stored


@pytest.mark.parametrize(
    "text", ["at 10:30 a cat", "nmv_ is how tokens begin", "7000000002: a cat", "1234567:AAHdq"]
)
async def test_what_only_resembles_a_token_is_a_request(received: Received, text: str) -> None:
    (job,) = await received(message(text, PRIVATE, **{"from": ANN}))
    assert job.kind is JobKind.EDIT
