"""Topics of private chats: opened, named, and what Telegram says where that is not possible."""

from typing import Any

import pytest

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import RunSaved, pack
from bot.jobs.model import JobKind
from bot.telegram.sending.private_topics import PrivateTopics
from tests.telegram.conftest import Telegram
from tests.telegram.test_handlers import ANN, PRIVATE, VIDEO, Json, Received, docket, message, press, received

__all__ = ["docket", "received"]  # fixtures


async def test_a_topic_is_opened_and_renamed_where_private_chats_have_them(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.open()
    key, topics = ChatKey(ada.chat.id), PrivateTopics(telegram.telegram_calls)
    assert await topics.open(key, "Sea") is None
    await telegram.people.ask("set_bot", bot=telegram.people.bot, topics=True)
    await telegram.bot.get_me()
    assert await topics.open(ChatKey(-1), "Sea") is None
    topic = await topics.open(key, "Sea")
    assert topic
    assert await topics.rename(topic, "Sea")  # Which it is called already.
    assert await topics.rename(topic, "x" * 200)
    assert await ada.chat.topics() == {topic.topic_id: "x" * 128}
    assert await topics.rename(key, "Sea")
    assert not await topics.rename(ChatKey(ada.chat.id, 999), "Sea")
    await telegram.people.faults.error("createForumTopic", code=400, description="Bad Request: not allowed")
    assert await topics.open(key, "Sea") is None
    await telegram.people.faults.drop("createForumTopic", when="after")
    assert await topics.open(key, "Sea") is None  # The project begins where it was asked for.


async def test_a_topic_takes_a_name_if_its_person_gave_it_none(received: Received) -> None:
    for thread_id, is_implicit in ((7, True), (8, False)):
        created = {"name": "New", "icon_color": 1, "is_name_implicit": is_implicit}
        place = {"message_id": thread_id, "message_thread_id": thread_id, "is_topic_message": True}
        assert (
            await received(message("", PRIVATE, **place, forum_topic_created=created, **{"from": ANN})) == []
        )
        assert (await received.chats.get(ChatKey(ANN["id"], thread_id))).takes_name is is_implicit


@pytest.mark.parametrize(
    ("rest", "prompt", "files"),
    [
        ({"text": "and waves at the end"}, "x" * 4091 + "and waves at the end", 0),
        (
            {"video": VIDEO, "forward_origin": {"type": "hidden_user", "sender_user_name": "B", "date": 1}},
            "x",
            1,
        ),
    ],
    ids=["a text that was cut", "a comment on forwards"],
)
async def test_the_rest_of_what_comes_with_new_goes_to_its_project(
    received: Received, rest: Any, prompt: str, files: int
) -> None:
    await received.telegram.people.ask("set_bot", bot=received.telegram.people.bot, topics=True)
    await received.telegram.bot.get_me()
    fields = ChatFields(session_id="sess_1", answer_session_id="sess_1")
    await received.chats.update(ChatKey(PRIVATE["id"]), fields)
    said = "/new " + (prompt if files else "x" * 4091)
    (new,) = await received(message(said, PRIVATE, **{"from": ANN}))
    assert new.kind is JobKind.NEW
    assert await received(message(chat=PRIVATE, **{"message_id": 8, "from": ANN, **rest})) == []
    gathered = (await received.job_queue.gathered(new)).job
    assert (gathered.prompt, len(gathered.files)) == (prompt, files)


async def test_the_still_of_a_live_photo_that_begins_a_topic_begins_another(received: Received) -> None:
    await received.telegram.people.ask("set_bot", bot=received.telegram.people.bot, topics=True)
    await received.telegram.bot.get_me()
    fields = ChatFields(session_id="sess_1", answer_session_id="sess_1")
    await received.chats.update(ChatKey(PRIVATE["id"]), fields)
    photo = {"file_id": "still", "file_unique_id": "s", "width": 1, "height": 1, "file_size": 1000}
    live: Json = {"live_photo": VIDEO, "photo": [photo], "caption": "/new shorter", "from": ANN}
    jobs = await received(message(chat=PRIVATE, **live))
    (held,) = (job for job in jobs if job.kind is JobKind.MESSAGE)
    (again,) = await received(press(pack(RunSaved(held.id)), ANN, PRIVATE))
    assert (again.kind, again.prompt) == (JobKind.NEW, "shorter")
    assert [file.file_id for file in again.files] == ["still"]
