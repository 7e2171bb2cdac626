"""What becomes of a message that a chat doesn't take: who gets it instead, and whether the job goes on."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from telegram.error import BadRequest, TelegramError

from bot.chats.key import ChatKey
from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import PrivateMessageKept, PromptSent, field_of
from bot.jobs.messages import AgentMessage, Button, LocalizedMessage, PrivateMessage
from bot.jobs.ports import ChatGone
from bot.sandbox.botapi.client import ChatHandle, Person
from bot.telegram.sending.api_calls import OutcomeUnknown
from bot.telegram.sending.group_admins import CachedGroupAdmins
from bot.words import Words
from tests.clocks import passing
from tests.telegram.conftest import Notebook, Telegram, a_result

RETRY = (Button("button.retry", Retry("0123456789abcdef")),)
PAID = {field_of(PromptSent): PromptSent().model_dump(mode="json")}
REFUSED: dict[str, Any] = {"code": 400, "description": "Bad Request: no"}


async def a_group(telegram: Telegram) -> tuple[Person, ChatHandle]:
    ada = await telegram.people.person()
    await ada.start()
    return ada, await telegram.people.new_chat("supergroup", "Film club", ada)


@pytest.mark.parametrize(
    ("is_paid", "is_blocked", "error"),
    [(True, False, None), (False, False, BadRequest), (True, True, ChatGone), (False, True, ChatGone)],
)
async def test_words_that_are_refused_end_no_job_that_is_paid_for_while_somebody_is_there(
    telegram: Telegram, is_paid: bool, is_blocked: bool, error: type[Exception] | None
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    if is_blocked:
        await ada.block()
    else:
        await telegram.people.faults.error("sendMessage", times=None, **REFUSED)
    responder = telegram.responder(telegram.job(ada.chat.id, 1), Notebook(PAID if is_paid else None))
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        await passing(telegram.clock, responder.send("answer", AgentMessage("I cut it.")))


async def test_what_may_have_come_to_a_group_is_not_said_in_private_too(
    telegram: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, group = await a_group(telegram)
    responder = telegram.responder(telegram.job(group.id, None, requester_id=ada.id))
    before, send_message = len(await ada.chat.messages()), telegram.bot.send_message

    async def lose(chat_id: int, *args: object, **kwargs: object) -> object:
        if chat_id == group.id:
            raise OutcomeUnknown("lost")
        return await send_message(chat_id, *args, **kwargs)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(type(telegram.bot), "send_message", staticmethod(lose))
    with pytest.raises(OutcomeUnknown):
        await passing(telegram.clock, responder.send("answer", AgentMessage("I cut it.")))
    assert len(await ada.chat.messages()) == before


async def test_a_file_that_is_too_large_is_not_uploaded_to_the_private_chat_too(telegram: Telegram) -> None:
    ada, group = await a_group(telegram)
    await telegram.people.faults.error(
        "sendDocument", code=413, description="Request Entity Too Large", times=None
    )
    responder = telegram.responder(telegram.job(group.id, None, requester_id=ada.id))
    await passing(telegram.clock, responder.send_file("file", "subs.srt", "text/plain", b"Hello"))
    assert [call["params"]["chat_id"] for call in await telegram.people.calls("sendDocument")] == [
        str(group.id)
    ]
    assert "subs.srt" in (await group.messages(from_bots=True))[-1].text


async def test_a_groups_result_comes_to_the_private_chat_without_what_acts_on_another_project(
    telegram: Telegram, clip: Path
) -> None:
    ada, group = await a_group(telegram)
    for method in ("sendVideo", "sendDocument"):
        await telegram.people.faults.error(method, chat_id=group.id, times=None, **REFUSED)
    responder = telegram.responder(telegram.job(group.id, None, requester_id=ada.id))
    await passing(
        telegram.clock, responder.deliver("delivered", a_result(clip, size_bytes=1000, buttons=RETRY))
    )
    assert (await ada.chat.wait(kind="video")).buttons == []
    (told,) = await group.messages(from_bots=True)
    assert told.text == Words("en").plain("deliver.in_private")


async def test_a_result_that_its_topic_takes_as_a_file_alone_stays_in_the_group(
    telegram: Telegram, clip: Path
) -> None:
    ada, group = await a_group(telegram)
    await telegram.people.faults.error(
        "sendVideo", code=400, description="Bad Request: TOPIC_CLOSED", times=None
    )
    responder = telegram.responder(telegram.job(group.id, None, 5, requester_id=ada.id))
    await passing(telegram.clock, responder.deliver("delivered", a_result(clip, size_bytes=1000)))
    assert "document" in (await group.messages(from_bots=True))[-1].json


async def test_who_writes_as_a_group_has_no_private_chat(telegram: Telegram) -> None:
    _, group = await a_group(telegram)
    await telegram.people.faults.error("sendMessage", times=None, **REFUSED)
    responder = telegram.responder(telegram.job(group.id, None, requester_id=group.id))
    with pytest.raises(TelegramError):
        await passing(telegram.clock, responder.send("answer", LocalizedMessage("answer.done")))
    called = {call["params"]["chat_id"] for call in await telegram.people.calls("sendMessage")}
    assert called == {str(group.id)}


async def test_what_is_for_one_person_waits_encrypted_for_their_private_chat(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("supergroup", "Film club", ada)
    checkpoints = Notebook()
    responder = telegram.responder(telegram.job(group.id, None, requester_id=ada.id), checkpoints)
    message = PrivateMessage(LocalizedMessage("error.unexpected"))
    await passing(telegram.clock, responder.send("ending", message))
    kept = checkpoints.load(PrivateMessageKept)
    assert kept is not None
    assert kept.encrypted.startswith("encrypted ")


async def test_nobody_waits_for_a_list_of_admins_that_does_not_come(telegram: Telegram, redis: Redis) -> None:
    ada, group = await a_group(telegram)
    admins = CachedGroupAdmins(telegram.telegram_calls, redis)
    await telegram.people.faults.error(
        "getChatAdministrators", code=502, description="Bad Gateway", times=None
    )
    with pytest.raises(TelegramError):
        await passing(telegram.clock, admins.is_admin(ChatKey(group.id), ada.id))
    assert telegram.clock.slept == []


async def test_where_there_are_no_admins_nobody_is_one(telegram: Telegram, redis: Redis) -> None:
    ada, group = await a_group(telegram)
    await telegram.people.faults.error(
        "getChatAdministrators", code=400, description="Bad Request: there are no administrators in it"
    )
    assert not await CachedGroupAdmins(telegram.telegram_calls, redis).is_admin(ChatKey(group.id), ada.id)
