"""Refusal × what is sent: nothing that a job has to say once it is paid for ends it, and nothing is sent twice."""

from pathlib import Path

import pytest

from bot.jobs.checkpoints import AgentAsked
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage
from bot.jobs.ports import Result
from tests.telegram.conftest import Notebook, Telegram

REFUSALS = {
    "button": (400, "Bad Request: BUTTON_URL_INVALID"),
    "topic gone": (400, "Bad Request: message thread not found"),
    "topic closed": (400, "Bad Request: TOPIC_CLOSED"),
    "request deleted": (400, "Bad Request: message to be replied not found"),
    "too large": (413, "Request Entity Too Large"),
    "kind forbidden": (400, "Bad Request: not enough rights to send videos to the chat"),
    "texts forbidden": (400, "Bad Request: not enough rights to send text messages to the chat"),
    "thrown out": (403, "Forbidden: bot was kicked from the supergroup chat"),
    "unknown": (400, "Bad Request: something that no document names"),
}

CLIP_BYTES = 10_000
REFUSES_NO_TEXT = ("too large", "kind forbidden", "unknown")
OPEN = Button("button.open_browser", url="https://app.example.com/p/1")
TEXTS: dict[str, AgentMessage | ListMessage] = {
    "answer": AgentMessage("It is done.", (OPEN,)),
    "changes": ListMessage(LocalizedMessage("answer.silent_edit"), (), (OPEN,)),
}


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("message", TEXTS)
@pytest.mark.parametrize("refusal", [name for name in REFUSALS if name not in REFUSES_NO_TEXT])
async def test_a_result_follows_whatever_is_refused_of_the_answer(
    telegram: Telegram, clip: Path, refusal: str, message: str, times: int | None
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    group = await telegram.people.new_chat("supergroup", "Cut", ada)
    if refusal in ("button", "request deleted"):
        times = 1  # Without it nothing is left to be refused.
    code, description = REFUSALS[refusal]
    await telegram.people.faults.error(
        "sendMessage", code=code, description=description, times=times, chat_id=group.id
    )
    checkpoints = Notebook()
    await checkpoints.save(AgentAsked())
    responder = telegram.responder(telegram.job(group.id, owner_id=ada.id), checkpoints)
    await responder.send("answer", TEXTS[message])
    await responder.deliver("delivered", Result(path=clip, size=CLIP_BYTES, took_s=1))
    texts = [
        one
        for chat in (group, ada.chat)
        for one in await chat.messages(deleted=True, from_bots=True)
        if "video" not in one.json
    ]
    assert len(texts) <= 1
    assert len(await group.messages(kind="video", from_bots=True)) == 1


METHODS = ("sendVideo", "sendDocument", "sendMessage", "sendAnimation")


@pytest.mark.parametrize("refused", [METHODS[:1], METHODS[:2], METHODS])
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_result_arrives_once_in_the_group_or_in_private(
    telegram: Telegram, clip: Path, refusal: str, refused: tuple[str, ...]
) -> None:
    if refusal == "too large":
        refused = tuple(method for method in refused if method != "sendMessage")  # No text is.
    ada = await telegram.people.person()
    await ada.start()
    group = await telegram.people.new_chat("supergroup", "Cut", ada)
    code, description = REFUSALS[refusal]
    await telegram.people.faults.error(
        *refused, code=code, description=description, times=None, chat_id=group.id
    )
    checkpoints = Notebook()
    job = telegram.job(group.id, owner_id=ada.id)
    result = Result(path=clip, size=CLIP_BYTES, took_s=1, spare_link="https://cdn.example.com/full.mp4")
    for _ in range(2):  # As after a kill: the second attempt finds what was sent.
        await telegram.responder(job, checkpoints).deliver("delivered", result)
    there = [
        one
        for chat in (group, ada.chat)
        for one in await chat.messages(deleted=True, from_bots=True)
        if "video" in one.json or "document" in one.json or "full.mp4" in str(one.json)
    ]
    assert len(there) == 1
