"""Refusal × what is sent × where: once a job is paid for, none of them ends it, and nothing is sent twice."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from telegram.error import BadRequest

from bot.jobs.buttons import Export
from bot.jobs.checkpoints import PromptSent
from bot.jobs.messages import AgentMessage, Button, ListMessage, LocalizedMessage, Progress
from bot.jobs.model import Attachment
from bot.jobs.ports import ChatGone, FileGone, FileTooLarge, FileUnavailable
from bot.sandbox import samples
from bot.sandbox.botapi.client import ChatHandle, Person, Seen
from bot.telegram.sending.responder import TelegramResponder
from tests.clocks import passing
from tests.telegram.conftest import Notebook, Telegram, a_result

REFUSALS = {
    "link": (400, "Bad Request: inline keyboard button URL 'http://x' is invalid: Wrong HTTP URL"),
    "button": (400, "Bad Request: BUTTON_DATA_INVALID"),
    "topic gone": (400, "Bad Request: message thread not found"),
    "topic closed": (400, "Bad Request: TOPIC_CLOSED"),
    "request deleted": (400, "Bad Request: message to be replied not found"),
    "too large": (413, "Request Entity Too Large"),
    "too long": (400, "Bad Request: message caption is too long"),
    "entities": (400, "Bad Request: can't parse entities: unsupported start tag"),
    "kind forbidden": (400, "Bad Request: not enough rights to send videos to the chat"),
    "texts forbidden": (400, "Bad Request: not enough rights to send text messages to the chat"),
    "thrown out": (403, "Forbidden: bot was kicked from the supergroup chat"),
    "unknown": (400, "Bad Request: something that no document names"),
}

CLIP_BYTES = 10_000
LINK = "https://cdn.example.com/full.mp4"
OPEN = Button("button.open_browser", url="https://app.example.com/p/1")
EXPORT = Button("button.export", Export())
LEAVES_A_FORM = ("link", "button", "request deleted", "too long", "entities")
"""Refusals that are about a part of a message."""
TEXTS: dict[str, AgentMessage | ListMessage] = {
    "answer": AgentMessage("It **is** done.", (OPEN, EXPORT)),
    "changes": ListMessage(LocalizedMessage("answer.silent_edit"), (), (OPEN, EXPORT)),
}


PLACES = ("private", pytest.param("group", marks=pytest.mark.heavy), "topic")
NOWHERE_ELSE = ("thrown out", "texts forbidden")
"""In a private chat nobody can be told of these."""


@dataclass
class Place:
    """Where somebody asked, and everywhere that they may be answered."""

    telegram: Telegram
    ada: Person
    chat: ChatHandle
    request: Seen
    topic: int | None
    checkpoints: Notebook

    @property
    def is_private(self) -> bool:
        return self.chat is self.ada.chat

    def responder(self) -> TelegramResponder:
        place = {"requester_id": self.ada.id, "telegram_chat_id": self.chat.id}
        job = self.telegram.job(self.chat.id, self.request.id, self.topic, **place)
        return self.telegram.responder(job, self.checkpoints)

    async def refuse(self, refusal: str, *methods: str, times: int | None = None) -> None:
        code, description = REFUSALS[refusal]
        await self.telegram.people.faults.error(
            *methods, code=code, description=description, times=times, chat_id=self.chat.id
        )

    async def said(self) -> tuple[list[Seen], list[Seen]]:
        """Return the results and all else that the bot ever sent to anybody."""
        chats = [self.chat] if self.is_private else [self.chat, self.ada.chat]
        said = [one for chat in chats for one in await chat.messages(deleted=True, from_bots=True)]
        return [one for one in said if is_result(one)], [one for one in said if not is_result(one)]


def is_result(seen: Seen) -> bool:
    return "video" in seen.json or "document" in seen.json or LINK in str(seen.json)


async def places(telegram: Telegram, kind: str) -> AsyncIterator[tuple[str, Place]]:
    """For each refusal, yield a place of its own with a request in it, to which the agent has answered already."""
    for refusal in REFUSALS:
        ada = await telegram.people.person()
        await ada.start()
        chat, topic = ada.chat, None
        if kind != "private":
            is_forum = kind == "topic"
            chat = await telegram.people.new_chat("supergroup", "Cut", ada, is_forum=is_forum)
            topic = await chat.topic(ada, "Clips") if is_forum else None
        asked = await ada.say("/edit cut it", chat, thread=topic)
        checkpoints = Notebook()
        await checkpoints.save(PromptSent())
        yield refusal, Place(telegram, ada, chat, asked, topic, checkpoints)


@pytest.mark.parametrize("message", TEXTS)
@pytest.mark.parametrize("kind", PLACES)
async def test_a_result_follows_whatever_is_refused_of_the_answer(
    telegram: Telegram, clip: Path, kind: str, message: str
) -> None:
    async for refusal, place in places(telegram, kind):
        await place.refuse(refusal, "sendMessage", times=1 if refusal in LEAVES_A_FORM else None)
        responder = place.responder()
        if place.is_private and refusal in NOWHERE_ELSE:
            with pytest.raises(ChatGone):
                await responder.send("answer", TEXTS[message])
            continue
        await responder.send("answer", TEXTS[message])
        result = a_result(clip, size_bytes=CLIP_BYTES, took_s=1)
        await passing(telegram.clock, responder.deliver("delivered", result))
        results, texts = await place.said()
        is_told = not place.is_private or refusal in LEAVES_A_FORM
        assert (len(results), len(texts)) == (1, int(is_told)), refusal


METHODS = ("sendVideo", "sendDocument", "sendMessage", "sendAnimation")


@pytest.mark.parametrize(
    "refused", [METHODS[:1], pytest.param(METHODS[:2], marks=pytest.mark.heavy), METHODS]
)
@pytest.mark.parametrize("kind", PLACES)
async def test_a_result_arrives_once_in_the_chat_or_in_private(
    telegram: Telegram, clip: Path, kind: str, refused: tuple[str, ...]
) -> None:
    async for refusal, place in places(telegram, kind):
        await place.refuse(refusal, *refused)
        result = a_result(clip, size_bytes=CLIP_BYTES, took_s=1, spare_link=LINK, buttons=(EXPORT,))
        try:
            for _ in range(2):  # As after a kill: the second attempt finds what was sent.
                await passing(telegram.clock, place.responder().deliver("delivered", result))
        except (ChatGone, BadRequest):
            assert place.is_private, refusal
            assert refused == METHODS, refusal
            continue
        results, others = await place.said()
        assert len(results) == 1, refusal
        assert all("sent it to you" in one.text for one in others), refusal


@pytest.mark.parametrize("method", ["sendMessage", "editMessageText", "deleteMessage"])
@pytest.mark.parametrize("kind", ["private", "topic"])
async def test_a_result_follows_whatever_is_refused_of_the_progress_message(
    telegram: Telegram, clip: Path, kind: str, method: str
) -> None:
    async for refusal, place in places(telegram, kind):
        if (method, refusal) == ("deleteMessage", "too large"):
            continue  # It has no content.
        await place.refuse(refusal, method)
        responder = place.responder()
        await passing(telegram.clock, responder.show_progress())
        responder.report_progress(Progress("progress.turn"))
        await passing(telegram.clock, responder.flush_progress())
        result = a_result(clip, size_bytes=CLIP_BYTES, took_s=1)
        await passing(telegram.clock, responder.deliver("delivered", result))
        await passing(telegram.clock, responder.finish_progress(None))
        await responder.close()
        results, progress = await place.said()
        assert len(results) == 1, refusal
        assert len(progress) <= 1, refusal
        # One that can't be deleted can't be pressed any more.
        assert all(one.deleted_at is not None or not one.buttons for one in progress), refusal


FILES = ("sendPhoto", "sendDocument", "sendMessage")


@pytest.mark.parametrize("refused", [FILES[:1], pytest.param(FILES[:2], marks=pytest.mark.heavy), FILES])
@pytest.mark.parametrize("kind", ["private", "topic"])
async def test_a_picture_of_the_agent_arrives_once_or_is_told(
    telegram: Telegram, tmp_path: Path, kind: str, refused: tuple[str, ...]
) -> None:
    picture = samples.make_photo(tmp_path / "cup.png", 64, 48).read_bytes()
    async for refusal, place in places(telegram, kind):
        await place.refuse(refusal, *refused)
        try:
            for _ in range(2):
                sending = place.responder().send_file("file.1.1", "cup.png", "image/png", picture)
                await passing(telegram.clock, sending)
        except ChatGone:
            assert place.is_private, refusal
            continue
        results, others = await place.said()
        said = [*results, *others]
        assert len(said) == 1 or (not said and place.is_private and refused == FILES), refusal


@pytest.mark.parametrize(
    ("description", "error"),
    [
        ("wrong file_id or the file is temporarily unavailable", FileUnavailable),
        ("file is temporarily unavailable", FileUnavailable),
        ("file is too big", FileTooLarge),
        ("invalid file_id", FileGone),
        ("FILE_REFERENCE_EXPIRED", FileGone),
        ("something that no document names", FileGone),
    ],
)
async def test_a_file_that_is_not_handed_out_is_told_as_such(
    telegram: Telegram, description: str, error: type[Exception]
) -> None:
    refused = f"Bad Request: {description}"
    await telegram.people.faults.error("getFile", code=400, description=refused, times=None)
    responder = telegram.responder(telegram.job(5))

    async def open_file() -> None:
        async with responder.open_file(Attachment("id", "video", "a.mp4", 100, "video/mp4")):
            pass

    with pytest.raises(error):
        await passing(telegram.clock, open_file())
