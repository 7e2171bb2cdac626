"""What a job says where the bot is a guest: the one message there, the private chat, and the staging chat."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from unittest.mock import AsyncMock

import pytest

from bot.jobs.buttons import Retry
from bot.jobs.checkpoints import PrivateMessageKept
from bot.jobs.messages import AgentMessage, Button, LocalizedMessage, PrivateMessage, Progress
from bot.jobs.model import GuestQuery, Job
from bot.jobs.ports import Result
from bot.media.shrink import CannotShrink
from bot.sandbox.botapi.client import ChatHandle, Person, Seen
from bot.telegram.sending import delivery, guest_messages
from bot.telegram.sending.guest_responder import GuestResponder
from bot.telegram.sending.message_fields import html_text
from bot.telegram.sending.responder import TelegramResponder
from bot.words import Html, Words
from tests.clocks import passing
from tests.telegram.conftest import Notebook, Telegram, a_result

ENGLISH = Words("en")
FAILED = LocalizedMessage("error.unexpected", buttons=(Button("button.retry", Retry("0123456789abcdef")),))


@dataclass
class Scene:
    """A group where the bot was called by Bo, who has not started it."""

    telegram: Telegram
    bo: Person
    friends: ChatHandle
    job: Job
    checkpoints: Notebook

    @property
    def responder(self) -> TelegramResponder:
        """The responder of a new attempt."""
        return self.telegram.responder(self.job, self.checkpoints)

    async def run(self, responder: TelegramResponder, result: Result) -> None:
        """Let an attempt deliver a result and end."""
        await passing(self.telegram.clock, responder.deliver("delivered", result))
        await passing(self.telegram.clock, responder.finish_progress(None))

    async def answer(self) -> Seen:
        """What the bot's message in the group is now."""
        (seen,) = await self.friends.messages(from_bots=True)
        return seen

    async def link(self) -> str:
        """Where its only button leads."""
        ((button,),) = (await self.answer()).json["reply_markup"]["inline_keyboard"]
        return str(button["url"])


@pytest.fixture
async def scene(telegram: Telegram) -> Scene:
    bo = await telegram.people.person("Bo")
    await telegram.people.ask("set_bot", guest=True)
    friends = await telegram.people.new_chat("supergroup", "Friends", bo, bot="")
    await telegram.bot.get_updates(allowed_updates=["guest_message"])
    await bo.say("@sandbox_bot shorter", friends)
    (update,) = await telegram.bot.get_updates()
    assert update.guest_message is not None
    query = GuestQuery(str(update.guest_message.guest_query_id), friends.id)
    await telegram.guest_mode_messages.answer(query, Html("At work"), None)
    return Scene(telegram, bo, friends, telegram.job(bo.id, guest_query=query), Notebook())


def result_of(path: Path) -> Result:
    answer = AgentMessage("Trimmed.", lines=(LocalizedMessage("progress.cancelled"),))
    return a_result(path, size_bytes=path.stat().st_size, answer=answer)


async def test_progress_is_shown_in_the_answer_and_stopped_by_its_button(scene: Scene) -> None:
    responder = scene.responder
    assert isinstance(responder, GuestResponder)
    responder.report_progress(Progress("progress.connect"))
    await passing(scene.telegram.clock, responder.show_progress())
    # A job that is quicker than the limiter goes on, and its message is edited beside it.
    answer = await scene.friends.wait(matching=ENGLISH.plain("progress.connect"), from_bots=True)
    assert answer.buttons == [ENGLISH.plain("button.cancel")]
    await passing(scene.telegram.clock, responder.finish_progress(LocalizedMessage("progress.cancelled")))
    assert (await scene.answer()).text == ENGLISH.plain("progress.cancelled")
    assert (await scene.answer()).buttons == []


async def test_an_answer_that_says_it_already_counts_as_edited(scene: Scene) -> None:
    await scene.telegram.people.faults.error(
        "editMessageText", code=400, description="Bad Request: message is not modified", times=1
    )
    assert scene.job.guest_query is not None
    edit = scene.telegram.guest_mode_messages.edit(scene.job.guest_query, html_text("At work"))
    assert await passing(scene.telegram.clock, edit)


async def test_a_job_begins_before_its_query_is_answered(scene: Scene) -> None:
    early = replace(scene.job, guest_query=GuestQuery("unanswered", scene.friends.id))
    responder = scene.telegram.responder(early, scene.checkpoints)
    await passing(scene.telegram.clock, responder.show_progress())
    await passing(scene.telegram.clock, responder.finish_progress(None))
    assert (await scene.answer()).text == "At work"


async def test_the_video_is_sent_once_and_put_where_it_was_asked_for(scene: Scene, clip: Path) -> None:
    await scene.bo.open()
    for _ in range(2):  # The second is an attempt after the first one's process ended.
        await scene.run(scene.responder, result_of(clip))
    (private,) = await scene.bo.chat.messages(from_bots=True)
    answer = await scene.answer()
    assert answer.media["file_unique_id"] == private.media["file_unique_id"]
    assert answer.text == "Trimmed."  # What is left of the credits is not for others.
    assert await scene.link() == "https://t.me/sandbox_bot"


async def test_who_has_not_started_the_bot_gets_a_button(scene: Scene, clip: Path) -> None:
    await scene.run(scene.responder, result_of(clip))
    assert (await scene.answer()).text.startswith("🎬 Your video is ready. Press the button")
    assert await scene.link() == "https://t.me/sandbox_bot?start=guest"


@pytest.mark.parametrize("bot", ["member", ""])
async def test_the_staging_chat_passes_the_video_on(
    scene: Scene, clip: Path, bot: Literal["member", ""]
) -> None:
    staging = await scene.telegram.people.new_chat("supergroup", "Staging", scene.bo, bot=bot)
    scene.telegram.staging_chat = staging.id
    await scene.run(scene.responder, result_of(clip))
    assert ("video" in (await scene.answer()).json) is bool(bot)
    assert "Trimmed" not in str(await staging.messages(from_bots=True))
    assert await scene.link() == "https://t.me/sandbox_bot?start=guest"


async def test_what_the_staging_chat_can_not_be_sent_waits_for_the_person(
    scene: Scene, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = await scene.telegram.people.new_chat("supergroup", "Staging", scene.bo)
    scene.telegram.staging_chat = staging.id
    monkeypatch.setattr(delivery, "shrink_video", AsyncMock(side_effect=CannotShrink("any")))
    await scene.run(scene.responder, a_result(clip, size_bytes=60_000_000))
    assert "video" not in (await scene.answer()).json
    assert await scene.link() == "https://t.me/sandbox_bot?start=guest"


async def test_an_answer_that_telegram_does_not_take_in_time_holds_no_update_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_messages, "_ANSWER_TIMEOUT_S", 0.0)
    late, guests = GuestQuery("late", scene.friends.id), scene.telegram.guest_mode_messages
    await guests.answer(late, Html("At work"), None)
    assert await guests.is_answered(late)  # A second answer would be refused.


async def test_a_chat_that_takes_no_videos_is_told_where_it_is(scene: Scene, clip: Path) -> None:
    await scene.bo.open()
    await scene.telegram.people.faults.error(
        "editMessageMedia", code=400, description="Bad Request: CHAT_SEND_VIDEOS_FORBIDDEN", times=None
    )
    await scene.run(scene.responder, result_of(clip))
    assert (await scene.answer()).text == ENGLISH.plain("deliver.in_private")


async def test_what_needs_buttons_waits_for_the_private_chat(scene: Scene) -> None:
    responder = scene.responder
    await passing(scene.telegram.clock, responder.send("ending", FAILED))
    await passing(scene.telegram.clock, responder.finish_progress(None))
    shown = [ENGLISH.plain(key) for key in ("error.unexpected", "guest.see_private")]
    assert [line for line in (await scene.answer()).text.splitlines() if line] == shown
    assert await scene.link() == f"https://t.me/sandbox_bot?start=see_{scene.bo.id}_{scene.job.id}"
    kept = scene.checkpoints.load(PrivateMessageKept)
    assert kept is not None
    assert "retry" in kept.encrypted


async def test_of_the_agents_answer_others_see_its_words(scene: Scene) -> None:
    await scene.bo.open()
    responder = scene.responder
    line = LocalizedMessage("answer.credits_used", {"n": 50, "left": 940})
    await passing(scene.telegram.clock, responder.send("answer", AgentMessage("Hello.", lines=(line,))))
    await passing(scene.telegram.clock, responder.finish_progress(None))
    assert (await scene.answer()).text == f"Hello.\n\n{ENGLISH.plain('guest.see_private')}"
    (private,) = await scene.bo.chat.messages(from_bots=True)
    assert "940" in private.text


async def test_what_waits_for_one_person_is_not_said_to_others(scene: Scene) -> None:
    responder = scene.responder
    await passing(scene.telegram.clock, responder.send("ending", PrivateMessage(FAILED)))
    await passing(scene.telegram.clock, responder.finish_progress(None))
    assert "Press the button" in (await scene.answer()).text
    assert await scene.link() == f"https://t.me/sandbox_bot?start=see_{scene.bo.id}_{scene.job.id}"


async def test_what_is_for_one_person_is_not_said_to_others(scene: Scene) -> None:
    await scene.bo.open()
    responder = scene.responder
    await passing(scene.telegram.clock, responder.send("ending", PrivateMessage(FAILED)))
    await passing(scene.telegram.clock, responder.finish_progress(None))
    assert (await scene.answer()).text == ENGLISH.plain("private.sent")
    (private,) = await scene.bo.chat.messages(from_bots=True)
    assert private.text == ENGLISH.plain("error.unexpected")
