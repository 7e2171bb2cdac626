"""Words that arrive around a question of the agent: which of them answer it."""

from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.chats.key import ChatKey
from bot.jobs.buttons import AnswerQuestion, pack
from bot.jobs.checkpoints import AgentAnswered, Checkpoint, MessageSend, QuestionAnswer, SentMessage, field_of
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import JobKind, QueueName
from bot.jobs.payloads import MessagePayload
from bot.jobs.queue.claimed_job import ClaimedJob
from bot.jobs.queue.tickets import queue_id
from bot.nemo.questions import Question, QuestionSet
from bot.telegram.sending.group_admins import CachedGroupAdmins
from bot.words import Words
from tests.jobs.conftest import docket as docket_fixture
from tests.jobs.conftest import new_job
from tests.telegram import test_handlers
from tests.telegram.test_handlers import ANN, BO, GROUP, Json, Received, message, press, said_key

docket, received = docket_fixture, test_handlers.received

PRIVATE: Json = {"id": ANN["id"], "type": "private", "first_name": "Ann"}
SHOWN_AS = 20  # the number of the question's message
ASKED = AgentAnswered(question_set=QuestionSet((Question("Which look?", ("Cinematic", "Cartoon")),)))


async def ask(
    received: Received,
    *shown: MessageSend,
    where: Json = PRIVATE,
    topic_id: int | None = None,
    asked: AgentAnswered = ASKED,
) -> ClaimedJob:
    """Let a job of Ann's ask, and return it while its worker still has it."""
    queue, job = received.job_queue, new_job(chat=ChatKey(where["id"], topic_id), requester_id=ANN["id"])
    await queue.enqueue([job], "asking")
    claimed = await queue.claim(queue_id(job.chat, QueueName.MAIN), "t")
    assert claimed is not None
    saved: list[tuple[Checkpoint, str]] = [(asked, ""), *((send, "question.1.0.0") for send in shown)]
    values = {field_of(type(saved), key): saved.model_dump(mode="json") for saved, key in saved}
    await queue.save(claimed, values)
    await queue.questions.ask(job, claimed.attempt, "1.0")
    return claimed


async def answer_to(received: Received, asking: ClaimedJob) -> QuestionAnswer | None:
    return await received.job_queue.load_checkpoint(asking.job, QuestionAnswer, "1.0")


def shown(chat_id: int = ANN["id"]) -> MessageSend:
    return MessageSend(newest_before=10, sent=SentMessage(message_id=SHOWN_AS, telegram_chat_id=chat_id))


@pytest.mark.parametrize(
    ("send", "message_id", "is_answer"),
    [
        pytest.param((), 15, False, id="before the question is sent"),
        pytest.param((shown(),), 15, False, id="before the question was seen"),
        pytest.param((shown(),), 21, True, id="after the question"),
        pytest.param((MessageSend(newest_before=10),), 15, True, id="while its sending is in doubt"),
        pytest.param((MessageSend(newest_before=18),), 15, False, id="before its sending began"),
        pytest.param((shown(chat_id=-100),), 15, True, id="sent to another chat with numbers of its own"),
    ],
)
async def test_only_words_written_after_a_question_answer_it(
    received: Received, send: tuple[MessageSend, ...], message_id: int, is_answer: bool
) -> None:
    asking = await ask(received, *send)
    said: dict[str, Any] = {"message_id": message_id, "from": ANN}
    jobs = await received(message("and add music", PRIVATE, **said))
    assert [job.kind for job in jobs] == ([] if is_answer else [JobKind.EDIT])
    assert await answer_to(received, asking) == (
        QuestionAnswer(words=("and add music",)) if is_answer else None
    )


@pytest.mark.parametrize(("option", "words"), [("1", ("Cartoon",)), ("2", None), ("x", None)])
async def test_a_pressed_option_is_one_of_those_that_were_shown(
    received: Received, option: str, words: tuple[str, ...] | None
) -> None:
    asking = await ask(received, shown())
    await received(press(pack(AnswerQuestion(asking.job.id, "1.0", option)), ANN, PRIVATE))
    assert await answer_to(received, asking) == (QuestionAnswer(words=words) if words else None)
    assert words or await received.toast() == Words("en").plain("toast.answered_already")


@pytest.mark.parametrize(
    ("options", "typed", "answer"),
    [
        (("Cinematic", "Cartoon"), "2", "Cartoon"),
        (("Cinematic", "Cartoon"), "２。", "Cartoon"),
        (("Cinematic", "Cartoon"), "2️⃣", "Cartoon"),
        (("Cinematic", "Cartoon"), "②", "Cartoon"),
        (("电影感", "卡通"), "第二个", "卡通"),
        (("Cinematic", "Cartoon"), "#2", "Cartoon"),
        (("Cinematic", "Cartoon"), "option 2", "Cartoon"),
        (("Cinematic", "Cartoon"), "3", "3"),
        (("Cinematic", "Cartoon"), "0", "0"),
        (("5 s", "10 s"), "2", "2"),
        (("30", "1"), "1", "1"),
        (("一分钟", "两分钟"), "1", "1"),
        (("🎬 Cinematic", "Cartoon"), "cinematic!", "🎬 Cinematic"),
        (("可以", "不行"), "不行。", "不行"),
        (("Export", "Add music"), "export", "Export"),
        (("导出", "加音乐"), "导出", "导出"),
    ],
)
async def test_a_typed_option_is_the_one_that_could_have_been_pressed(
    received: Received, options: tuple[str, ...], typed: str, answer: str
) -> None:
    asked = AgentAnswered(question_set=QuestionSet((Question("Which?", options),)))
    asking = await ask(received, shown(), asked=asked)
    assert await received(message(typed, PRIVATE, message_id=21, **{"from": ANN})) == []
    assert await answer_to(received, asking) == QuestionAnswer(words=(answer,))


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("1, 3", ("Shop", "Club")),
        ("1和3", ("Shop", "Club")),
        ("club & shop", ("Club", "Shop")),
        ("1 or something else", ("1 or something else",)),
    ],
)
async def test_several_options_can_be_typed_where_several_may_be_chosen(
    received: Received, typed: str, answer: tuple[str, ...]
) -> None:
    question = Question("What for?", ("Shop", "School", "Club"), allow_multiple=True)
    asking = await ask(received, shown(), asked=AgentAnswered(question_set=QuestionSet((question,))))
    assert await received(message(typed, PRIVATE, message_id=21, **{"from": ANN})) == []
    assert await answer_to(received, asking) == QuestionAnswer(words=answer)


@pytest.mark.parametrize(
    ("typed", "is_answer"),
    [
        ("https://myshop.example.org", True),
        ("https://www.youtube.com/@myshop", True),
        ("look at https://youtu.be/abc123, like that", True),
        ("https://cdn.example.org/logo.png", False),  # a file
        ("http://192.168.0.1/admin", False),
    ],
)
async def test_a_link_to_a_page_answers(received: Received, typed: str, is_answer: bool) -> None:
    asking = await ask(
        received, shown(), asked=AgentAnswered(question_set=QuestionSet((Question("Where?"),)))
    )
    jobs = await received(message(typed, PRIVATE, message_id=21, **{"from": ANN}))
    assert bool(jobs) is not is_answer
    expected = QuestionAnswer(words=(typed,)) if is_answer else None
    assert await answer_to(received, asking) == expected


async def test_an_answer_that_is_edited_later_is_told_to_be_used_already(received: Received) -> None:
    asking = await ask(received, shown())
    said: Json = {"message_id": 21, "from": ANN}
    await received(message("cartoon", PRIVATE, **said))
    body = message("cinematic", PRIVATE, **said, edit_date=60)["message"]
    assert await received({"edited_message": {**body, "text": "cartoon"}}) == []  # Such as a link's preview.
    told = [job.payload for _ in range(2) for job in await received({"edited_message": body})]
    assert told == [MessagePayload(message=LocalizedMessage("edited.answer"))]
    assert await answer_to(received, asking) == QuestionAnswer(words=("Cartoon",))


async def test_words_after_a_cancellation_are_a_request_of_their_own(received: Received) -> None:
    asking = await ask(received, shown())
    await received.job_queue.cancel(asking.job.chat, QueueName.MAIN, asking.job.id)
    (job,) = await received(message("add music", PRIVATE, message_id=21, **{"from": ANN}))
    assert job.kind is JobKind.EDIT
    assert await answer_to(received, asking) is None


async def test_words_of_somebody_else_wait_behind_the_answer_that_comes_with_them(received: Received) -> None:
    asking = await ask(received, shown(GROUP["id"]), where=GROUP)
    bob = {"id": 4712, "is_bot": False, "first_name": "Bob"}
    (job,) = await received(message("/edit add music", GROUP, message_id=21, **{"from": bob}))
    await received(message("/edit Cartoon", GROUP, message_id=22, **{"from": ANN}))
    assert await answer_to(received, asking) == QuestionAnswer(words=("Cartoon",))
    queue = received.job_queue
    assert not await queue.questions.suspend(asking.job, asking.attempt)
    assert await queue.current(job.chat, QueueName.MAIN) == [asking.job.id, job.id]


@pytest.mark.parametrize("is_admin", [True, False])
async def test_somebody_elses_question_is_answered_in_words_by_admins_alone(
    received: Received, monkeypatch: pytest.MonkeyPatch, *, is_admin: bool
) -> None:
    monkeypatch.setattr(CachedGroupAdmins, "is_admin", AsyncMock(return_value=is_admin))
    asking = await ask(received, shown(GROUP["id"]), where=GROUP)
    sent_by_bot = {"id": received.telegram.bot.id, "is_bot": True, "first_name": "Bot"}
    question = message("Which look?", GROUP, message_id=SHOWN_AS, **{"from": sent_by_bot})["message"]
    said = message("Cartoon", GROUP, message_id=21, reply_to_message=question, **{"from": BO})
    jobs = await received(said)
    assert [said_key(job) for job in jobs] == ([] if is_admin else ["toast.not_yours"])
    assert await answer_to(received, asking) == (QuestionAnswer(words=("Cartoon",)) if is_admin else None)


@pytest.mark.parametrize("is_suspended", [False, True])
@pytest.mark.parametrize("is_typed", [False, True])
@pytest.mark.parametrize(("place", "is_answered"), [(GROUP, True), (PRIVATE, False)])
async def test_a_question_whose_topic_is_gone_is_answered_where_it_came(
    received: Received, place: Json, is_typed: bool, is_answered: bool, is_suspended: bool
) -> None:
    asking = await ask(received, shown(GROUP["id"]), where=GROUP, topic_id=5)
    if is_suspended:
        assert await received.job_queue.questions.suspend(asking.job, asking.attempt)
    data = pack(AnswerQuestion(asking.job.id, "1.0", "1"))
    keyboard = {"inline_keyboard": [[{"text": "Cartoon", "callback_data": data}]]}
    bot = {"id": received.telegram.bot.id, "is_bot": True, "first_name": "Bot"}
    question = message("Which look?", place, message_id=SHOWN_AS, reply_markup=keyboard, **{"from": bot})
    if is_typed:
        said: Json = {"message_id": 21, "from": ANN, "reply_to_message": question["message"]}
        await received(message("cartoon", place, **said))
    else:
        press = {"id": "1", "from": ANN, "chat_instance": "1", "data": data, "message": question["message"]}
        await received({"callback_query": press})
    expected = QuestionAnswer(words=("Cartoon",)) if is_answered else None
    assert await answer_to(received, asking) == expected
