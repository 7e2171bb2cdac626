import base64
from typing import Any

import pytest

from bot.jobs.checkpoints import AgentAnswered
from bot.jobs.messages import AgentMessage, LocalizedMessage
from bot.jobs.ports import MAX_SENT_BYTES
from bot.jobs.steps.agent_files import MAX_FILES
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.worker.attempt import Attempt
from tests.jobs.steps.conftest import Rig, a_draft

SUBTITLES = b"1\n00:00 --> 00:01\nHello\n"


def file(name: str, content: bytes = SUBTITLES, **fields: Any) -> dict[str, Any]:
    return {"file": {"name": name, "content_base64": base64.b64encode(content).decode(), **fields}}


async def ask(rig: Rig, *steps: dict[str, Any]) -> Attempt:
    await rig.open_project(a_draft(0))
    await rig.nemo.script(list(steps))
    attempt = rig.attempt(rig.job(prompt="make a thumbnail"))
    await AskAgent(rig.projects, TurnLimits(), rig.cards, rig.credit_limits, rig.usual_times)(attempt)
    return attempt


@pytest.mark.parametrize("link", [False, True])
async def test_a_file_reaches_the_chat_before_the_answer(rig: Rig, link: bool) -> None:
    await ask(rig, file("subs.srt", link=link), {"text": "Here they are."})
    assert rig.responder.sent_files == {"file.1.1": ("subs.srt", "application/octet-stream", SUBTITLES)}
    assert rig.responder.sent["answer"] == AgentMessage("Here they are.")


async def test_a_file_alone_is_an_answer(rig: Rig) -> None:
    attempt = await ask(rig, {"file": {"name": "cup.png"}})
    assert list(rig.responder.sent_files) == ["file.1.1"]
    assert rig.responder.sent == {}
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.files == 1
    # Once before the turn, once after it: nothing more is waited for.
    assert [request.endpoint for request in await rig.nemo.requests()].count("state") == 2


async def test_the_same_file_is_sent_once_and_not_endlessly_many(rig: Rig) -> None:
    await ask(rig, file("a.srt"), file("a.srt"), *(file(f"{n}.srt", b"%d" % n) for n in range(MAX_FILES + 3)))
    assert len(rig.responder.sent_files) == MAX_FILES


@pytest.mark.parametrize(
    ("url", "key", "name", "buttons"),
    [
        ("https://elsewhere.example/cup.png", "answer.file_link", "cup.png (elsewhere.example)", 1),
        ("https://me@elsewhere.example/cup.png", "answer.file_lost", "cup.png", 0),
        ("https://192.168.0.5/cup.png", "answer.file_lost", "cup.png", 0),
        ("gs://bucket/cup.png", "answer.file_lost", "cup.png", 0),
        ("/media/nowhere/cup.png", "answer.file_lost", "cup.png", 0),
        ("http://[", "answer.file_lost", "cup.png", 0),
        pytest.param("gs://bucket/mug.png?x=1", "answer.file_lost", "mug.png", 0, id="without a name"),
    ],
)
async def test_a_file_that_is_out_of_reach_is_told(
    rig: Rig, url: str, key: str, name: str, buttons: int
) -> None:
    part = {"fileData": {"fileUri": url, "displayName": "cup.png" if name.startswith("cup") else ""}}
    await ask(rig, {"json": {"content": {"parts": [part]}}}, {"text": "Here."})
    message = rig.responder.sent["file.1.1"]
    assert isinstance(message, LocalizedMessage)
    assert (message.key, message.params, len(message.buttons)) == (key, {"name": name}, buttons)
    assert rig.responder.sent["answer"] == AgentMessage("Here.")


async def test_a_file_that_is_too_large_is_told(rig: Rig) -> None:
    await ask(rig, file("large.bin", bytes(MAX_SENT_BYTES + 1), link=True), {"text": "Here."})
    assert rig.responder.sent_files == {}
    message = rig.responder.sent["file.1.1"]
    assert isinstance(message, LocalizedMessage)
    assert message.key == "answer.file_lost"
