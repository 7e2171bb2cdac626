import asyncio
import contextlib
import json
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock

import pytest
import stamina
from redis.asyncio import Redis

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.jobs.buttons import Export
from bot.jobs.checkpoints import (
    AFTER,
    FILES,
    AgentAnswered,
    KeptDraft,
    PendingAnswer,
    PromptSent,
    QuestionAnswer,
    Turn,
    Uploaded,
    before_turn,
)
from bot.jobs.messages import AgentMessage, ListMessage, LocalizedMessage, PrivateMessage, TextMessage
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.account_credits import AccountCredits, AccountSums
from bot.jobs.queue.job_reader import JobStatus
from bot.jobs.queue.usual_times import TimedStage
from bot.jobs.steps import agent_turn
from bot.jobs.steps.agent_answer import RenderSkipped, wants_export
from bot.jobs.steps.agent_turn import AgentTextSoFar
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.credits_use import TurnCredits
from bot.jobs.steps.pending_generations import Announced
from bot.jobs.steps.turn_draft import TurnDraft, TurnLimits
from bot.jobs.worker.attempt import Attempt, JobEnded, JobSuspended
from bot.nemo.answers import ProjectState
from bot.nemo.drafts import digest
from bot.nemo.errors import Call, ServiceError
from bot.nemo.questions import Question, QuestionSet
from bot.sandbox.nemovideo import scripts
from bot.sandbox.nemovideo.drafts import Draft
from bot.sandbox.nemovideo.scripts import Script
from bot.store import keys
from tests.clocks import eventually
from tests.jobs.steps.conftest import Rig, a_draft, a_part, again, queue_of

VIDEO, AUDIO, TEXT = 0, 1, 7
LIMITS = TurnLimits(recovery_first_s=1, recovery_every_s=1, recovery_readings=3)
TRIM = "trim it to 1 second"
BUSY: Script = [{"json": {"error": "RuntimeError: 503 overloaded. {'error': {'code': 503}}"}}]


async def ask(rig: Rig, attempt: Attempt) -> str:
    """Take the step; return the key of the message that it ended the job with, if it did."""
    try:
        await AskAgent(rig.projects, LIMITS, rig.cards, rig.credit_limits, rig.usual_times)(attempt)
    except JobEnded as end:
        return end.message.key if isinstance(end.message, LocalizedMessage) else type(end.message).__name__
    return ""


def pending_answer(attempt: Attempt) -> TextMessage:
    """The answer that goes out with the video, or with the news that there is none."""
    held = attempt.load(PendingAnswer)
    assert held is not None
    return held.message


async def test_a_prompt_is_sent_once_however_often_the_job_starts(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    attempt = rig.attempt(rig.job(prompt='add a title "Hello"'))
    await ask(rig, attempt)
    await ask(rig, again(attempt))
    assert [message.text for message in await rig.nemo.messages()] == ['add a title "Hello"']
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert not answered.failed
    assert answered.has_changed
    assert isinstance(pending_answer(attempt), AgentMessage)
    assert rig.responder.sent == {}


@pytest.mark.parametrize(
    ("chat_id", "albums", "is_said"), [(-5, "a", 1), (-5, "aa", 0), (5, "a", 0), (-5, "", 0)]
)
async def test_a_group_is_told_that_only_one_file_of_an_album_was_seen(
    rig: Rig, chat_id: int, albums: str, is_said: int
) -> None:
    parts = [replace(a_part(message_id=number), album=album) for number, album in enumerate(albums, 1)]
    attempt = rig.attempt(rig.job(prompt="hello", chat=ChatKey(chat_id)), parts=parts)
    await rig.nemo.script([{"text": "Hello."}])
    await ask(rig, attempt)
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, AgentMessage)
    assert [line.key for line in answer.lines].count("answer.album_unseen") == is_said


async def test_a_turn_that_generates_is_timed_as_such(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    tools: Script = [
        {"tool": {"name": name, "args": {}, "result": {}}} for name in ("edit_draft", "seedance", "set_title")
    ]
    await rig.nemo.script([{"wait_s": 30}, *tools, {"text": "Done."}])
    await ask(rig, rig.attempt(rig.job(prompt="a paper boat")))
    redis = rig.usual_times.redis
    assert await redis.llen(keys.usual_times_key(TimedStage.GENERATION)) == 1
    assert await redis.llen(keys.usual_times_key(TimedStage.EDIT)) == 0
    shown = {one.stage: one for one in reversed(rig.responder.reported)}  # the first report of each stage
    assert shown["progress.turn"].expected_s < shown["progress.turn_tool_generate"].expected_s < 180
    assert shown["progress.turn_tool_edit"].estimates_s


async def test_a_turn_that_failed_teaches_nothing(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"error_event": {"code": "503", "message": "overloaded"}}])
    await ask(rig, rig.attempt(rig.job(prompt="add a title")))
    assert await rig.usual_times.redis.llen(keys.usual_times_key(TimedStage.EDIT)) == 0


async def test_without_words_nothing_is_asked(rig: Rig) -> None:
    assert await ask(rig, rig.attempt(rig.job(prompt=""))) == ""
    assert await rig.nemo.messages() == []


async def test_an_attempt_that_died_while_asking_finds_what_the_agent_did(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO, TEXT))
    attempt = rig.attempt(rig.job(prompt="add a title"), PromptSent(draft_digest=digest(a_draft(VIDEO))))
    await ask(rig, attempt)
    assert await rig.nemo.messages() == []
    message = pending_answer(attempt)
    assert isinstance(message, ListMessage)
    assert message.heading.key == "answer.silent_edit"


async def test_a_process_that_dies_while_a_file_comes_leaves_the_words_and_the_result(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself can't be fetched again."""
    monkeypatch.setattr(agent_turn, "SAVE_TEXT_EVERY_S", 3600)  # As if the words had come right before it.
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"edit": TRIM}, {"text": "The cover follows."}, {"hold": "file"}])
    attempt = rig.attempt(rig.job(prompt=TRIM))
    asking = asyncio.create_task(ask(rig, attempt))
    await eventually(lambda: attempt.load(AgentTextSoFar) is not None)
    asking.cancel()
    await asyncio.wait({asking})
    following = again(attempt)
    assert await ask(rig, following) == ""
    assert len(await rig.nemo.messages()) == 1
    message = pending_answer(following)
    assert isinstance(message, AgentMessage)
    assert message.markdown == "The cover follows."
    answered = following.load(AgentAnswered)
    assert answered is not None
    assert wants_export(answered)


@pytest.mark.parametrize(("late_looks", "key"), [(0, "silent_edit"), (3, "silent_edit"), (4, "no_change")])
async def test_a_turn_without_text_or_change_is_looked_at_again(rig: Rig, late_looks: int, key: str) -> None:
    before = a_draft(VIDEO)
    await rig.open_project(before)
    old_state = json.dumps({"code": 0, "data": {"state": {"draft": before}}})
    # The state is read once before the turn.
    await rig.nemo.fault("state", times=1 + late_looks, body=old_state, content_type="application/json")
    await rig.nemo.script(scripts.silent_edit("trim it to 1 second"))
    attempt = rig.attempt(rig.job(prompt="trim it"))
    await ask(rig, attempt)
    answer = rig.responder.sent.get("answer") or pending_answer(attempt)
    heading = answer.heading if isinstance(answer, ListMessage) else answer
    assert isinstance(heading, LocalizedMessage)
    assert heading.key == f"answer.{key}"


async def test_an_undo_that_the_agent_did_not_do_asks_for_no_other_words(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"thought": "Hm."}])
    attempt = rig.attempt(rig.job(prompt="undo", payload=EditPayload(version=1, project="mark")))
    await ask(rig, attempt)
    answer = rig.responder.sent.get("answer") or pending_answer(attempt)
    assert answer == LocalizedMessage("answer.not_restored")


@pytest.mark.parametrize("before", [None, {"t": [], "d": 0}, {"t": [{"tt": VIDEO, "sg": []}]}])
@pytest.mark.parametrize(
    ("end", "key"),
    [([], "answer.empty"), (BUSY, "error.turn_busy"), ([{"cut": True}], "error.stream_lost")],
    ids=["no words", "error", "broken stream"],
)
async def test_a_draft_that_comes_into_being_empty_is_no_change(
    rig: Rig, before: Draft | None, end: Script, key: str
) -> None:
    await rig.open_project(before)
    await rig.nemo.script([{"draft": {"t": [], "m": {"title": "project"}}}, *end])
    ended_by = await ask(rig, rig.attempt(rig.job(prompt="make a promo for my coffee shop")))
    answer = rig.responder.sent.get("answer")
    assert (answer.key if isinstance(answer, LocalizedMessage) else ended_by) == key


async def test_a_timeline_that_was_emptied_is_a_change(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"draft": {"t": []}}, {"text": "The timeline is empty now."}])
    attempt = rig.attempt(rig.job(prompt="remove all clips"))
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.has_changed


@pytest.mark.parametrize("late_looks", [1, 3])
@pytest.mark.parametrize(
    ("tools", "end"),
    [
        ([], BUSY),
        ([{"tool": {"name": "edit_draft", "args": {}, "result": {"status": "ok"}}}], []),
    ],
    ids=["error", "edited"],
)
async def test_a_change_that_shows_late_is_seen_behind_words_too(
    rig: Rig, late_looks: int, tools: Script, end: Script
) -> None:
    before = a_draft(VIDEO)
    await rig.open_project(before)
    old_state = json.dumps({"code": 0, "data": {"state": {"draft": before}}})
    await rig.nemo.fault("state", times=1 + late_looks, body=old_state, content_type="application/json")
    await rig.nemo.script([*tools, {"edit": TRIM}, {"text": "I trimmed it."}, *end])
    attempt = rig.attempt(rig.job(prompt="trim it"))
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.has_changed


@pytest.mark.parametrize("result", [{"status": "pending"}, {"data": {"state": "QUEUED"}}])
async def test_a_video_that_is_still_being_generated_is_waited_for(rig: Rig, result: object) -> None:
    before = a_draft(VIDEO)
    await rig.open_project(before)
    old_state = json.dumps({"code": 0, "data": {"state": {"draft": before}}})
    await rig.nemo.fault("state", times=3, body=old_state, content_type="application/json")
    tool = {"name": "generate_video", "args": {}, "result": result}
    said = {"text": "It will be ready in a few minutes."}
    await rig.nemo.script([{"tool": tool}, said, {"edit": "trim it to 1 second"}])
    attempt = rig.attempt(rig.job(prompt="add a clip"))
    await ask(rig, attempt)
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.has_changed
    # What it takes is charged when it is done.
    read = [one.endpoint for one in await rig.nemo.requests() if one.endpoint in ("state", "credits")]
    assert read[-1] == "credits"


@pytest.mark.parametrize("words", [[], [{"text": "It will be ready in a few minutes."}]])
@pytest.mark.parametrize(
    "work",
    [
        {"tool": {"name": "seedance", "args": {}, "result": {"status": "pending"}}},
        {"tool": {"name": "kling", "args": {}, "result": "Task submitted, ready in 2-5 minutes"}},
        {"tool": {"name": "generate_music", "args": {}, "result": {"task_status": "IN_QUEUE"}}},
        {
            "json": {
                "content": {"parts": [{"functionCall": {"id": "f", "name": "generate_video", "args": {}}}]},
                "longRunningToolIds": ["f"],
            }
        },
    ],
    ids=["pending", "in words", "music", "long-running"],
)
async def test_a_video_that_is_not_there_after_all_the_waiting_can_be_fetched_later(
    rig: Rig, words: Script, work: dict[str, Any]
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([work, *words])
    await ask(rig, rig.attempt(rig.job(prompt="add a clip")))
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, AgentMessage | ListMessage)
    lines = answer.lines if isinstance(answer, AgentMessage) else (answer.heading, *answer.lines)
    assert [line.key for line in lines] == ["answer.still_generating"]
    assert [button.label for button in answer.buttons] == ["button.export"]


ANNOUNCED: Script = [
    {
        "json": {
            "content": {"parts": [{"functionCall": {"id": "f", "name": "generate_video", "args": {}}}]},
            "longRunningToolIds": ["f"],
        }
    }
]


TWO_ANNOUNCED: Script = [
    {
        "json": {
            "content": {
                "parts": [
                    {"functionCall": {"id": name, "name": "generate_video", "args": {}}} for name in "ab"
                ]
            }
        }
    },
    {
        "json": {
            "content": {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": name,
                            "name": "generate_video",
                            "response": {"status": status},
                        }
                    }
                    for name, status in (("a", "completed"), ("b", "processing"))
                ],
            }
        }
    },
]


@pytest.mark.parametrize(
    ("end", "clips", "still_generating"),
    [("answer", 1, True), ("break", 1, True), ("answer", 2, False), ("break", 2, False)],
)
async def test_a_clip_that_is_made_does_not_stand_for_one_still_being_made(
    rig: Rig, end: str, clips: int, still_generating: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the agent leaves the made one out, one that comes later is the announced one."""
    before, made = a_draft(VIDEO), a_draft(VIDEO, VIDEO)
    await rig.open_project(before)
    ending: Script = [{"text": "The cat is ready."}] if end == "answer" else [{"cut": True}]
    await rig.nemo.script([*TWO_ANNOUNCED, {"draft": made}, *ending])
    read_draft = TurnDraft._wait

    async def add_clip(self: TurnDraft, *request: Any) -> Any:
        if clips == 2:
            chat = await rig.projects.chats.get(attempt.job.chat)
            assert chat.session_id is not None
            await rig.nemo.set_draft(chat.session_id, a_draft(VIDEO, VIDEO, VIDEO))
        return await read_draft(self, *request)

    monkeypatch.setattr(TurnDraft, "_wait", add_clip)
    attempt = rig.attempt(rig.job(prompt="make a cat and a dog"))
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.has_changed
    assert answered.still_generating is still_generating


MUSIC = {"id": "m", "prompt": "Which music?", "options": [{"id": "a", "label": "Calm"}]}


@pytest.mark.parametrize("end", ["process", "stream"])
async def test_an_announced_video_is_not_paid_for_again_after_a_break(rig: Rig, end: str) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*ANNOUNCED, {"hold": "work"} if end == "process" else {"cut": True}])
    attempt = rig.attempt(rig.job(prompt="add a clip"))
    asking = asyncio.create_task(ask(rig, attempt))
    if end == "process":
        await eventually(lambda: attempt.load(AgentTextSoFar) is not None)
        asking.cancel()
        await asyncio.wait({asking})
        attempt = again(attempt)
        asking = asyncio.create_task(ask(rig, attempt))
    assert await asking == ""
    assert len(await rig.nemo.messages()) == 1
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, ListMessage)
    assert answer.heading.key == "answer.still_generating"
    assert [button.label for button in answer.buttons] == ["button.export"]


async def test_an_announced_video_that_comes_after_a_restart_is_delivered(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO, VIDEO))
    attempt = rig.attempt(
        rig.job(prompt="add a clip"),
        PromptSent(draft_digest=digest(a_draft(VIDEO))),
        (KeptDraft(draft=a_draft(VIDEO)), before_turn(Turn())),
        AgentTextSoFar(announced=Announced()),
    )
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert wants_export(answered)


async def test_words_on_the_timeline_do_not_stand_for_the_video_that_was_announced(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*ANNOUNCED, {"draft": a_draft(VIDEO, TEXT)}, {"text": "The title is there."}])
    attempt = rig.attempt(rig.job(prompt="add a clip with a title"))
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.has_changed
    assert answered.still_generating
    assert attempt.load(PendingAnswer) is None
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, AgentMessage)
    assert answer.lines[-1].key == "answer.still_generating"
    assert [button.label for button in answer.buttons] == ["button.export"]


async def test_a_question_does_not_wait_for_a_video_that_was_announced(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TurnDraft, "wait_for_announced", AsyncMock(side_effect=AssertionError))
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*ANNOUNCED, {"ask": {"questions": [MUSIC]}}])
    with pytest.raises(JobSuspended):
        await ask(rig, rig.attempt(rig.job(prompt="add a clip")))


@pytest.mark.parametrize(
    "script",
    [[{"ask": {"questions": [MUSIC]}}, *BUSY], [*BUSY, {"ask": {"questions": [MUSIC]}}]],
    ids=["error behind", "error before"],
)
async def test_a_question_beside_an_error_is_asked(rig: Rig, script: Script) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(script)
    with pytest.raises(JobSuspended):
        await ask(rig, rig.attempt(rig.job(prompt="add music")))


@pytest.mark.parametrize(
    ("result", "is_asked"), [({"answer": "Calm"}, False), ({"status": "shown"}, True), (None, True)]
)
async def test_only_an_answer_of_the_agents_own_closes_its_question(
    rig: Rig, result: object, is_asked: bool
) -> None:
    await rig.open_project(a_draft(VIDEO))
    tool = {"name": "ask_question", "args": {"questions": [MUSIC]}, "result": result}
    await rig.nemo.script([{"tool": tool}, {"text": "Here it is."}])
    with pytest.raises(JobSuspended) if is_asked else contextlib.nullcontext():
        await ask(rig, rig.attempt(rig.job(prompt="add music")))


@pytest.mark.parametrize("words", [[], [{"text": "I begin."}]])
async def test_an_error_while_an_announced_video_is_made_offers_nothing_that_is_charged_again(
    rig: Rig, words: Script
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*words, *ANNOUNCED, *BUSY])
    attempt = rig.attempt(rig.job(prompt="add a clip"))
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert not wants_export(answered)
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, AgentMessage | ListMessage)
    lines = answer.lines if isinstance(answer, AgentMessage) else (answer.heading, *answer.lines)
    assert [line.key for line in lines] == ["answer.may_still_come"]
    assert [button.action for button in answer.buttons] == [Export()]


async def test_an_announced_video_that_comes_after_an_error_is_delivered(rig: Rig) -> None:
    before = a_draft(VIDEO)
    await rig.open_project(before)
    old_state = json.dumps({"code": 0, "data": {"state": {"draft": before}}})
    await rig.nemo.fault("state", times=4, body=old_state, content_type="application/json")
    await rig.nemo.script([{"draft": a_draft(VIDEO, VIDEO)}, *ANNOUNCED, *BUSY])
    attempt = rig.attempt(rig.job(prompt="add a clip"))
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert wants_export(answered)


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (scripts.blocked(), "error.turn_policy"),
        (scripts.typed_error("real people are not supported"), "error.turn_person"),
        (scripts.typed_error("insufficient credits"), "error.turn_quota"),
    ],
)
async def test_a_refusal_of_the_announced_video_is_told_at_once(
    rig: Rig, error: Script, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TurnDraft, "wait_for_announced", AsyncMock(side_effect=AssertionError))
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*ANNOUNCED, *error])
    assert await ask(rig, rig.attempt(rig.job(prompt="add a clip"))) == key


@pytest.mark.parametrize(
    ("script", "key"),
    [
        ([{"text": "I took the calm one."}], "answer.still_generating"),
        (BUSY, "answer.may_still_come"),
        ([{"cut": True}], "answer.still_generating"),
    ],
    ids=["answer", "error", "break"],
)
async def test_a_video_announced_before_a_question_is_waited_for_after_it(
    rig: Rig, script: Script, key: str
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*ANNOUNCED, {"ask": {"questions": [MUSIC]}}])
    attempt = rig.attempt(rig.job(prompt="add a clip"))
    with pytest.raises(JobSuspended):
        await ask(rig, attempt)
    await attempt.save(QuestionAnswer(words=("Calm",)), "1.0")
    await rig.nemo.script(script)
    assert await ask(rig, again(attempt)) == ""
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, AgentMessage | ListMessage)
    lines = answer.lines if isinstance(answer, AgentMessage) else (answer.heading, *answer.lines)
    assert [line.key for line in lines] == [key]
    assert [button.action for button in answer.buttons] == [Export()]


async def test_a_video_that_came_while_a_question_was_open_is_not_waited_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TurnDraft, "wait_for_announced", AsyncMock(side_effect=AssertionError))
    await rig.open_project(a_draft(VIDEO, VIDEO))
    attempt = rig.attempt(
        rig.job(prompt="add a clip"),
        PromptSent(draft_digest=digest(a_draft(VIDEO))),
        (KeptDraft(draft=a_draft(VIDEO)), AFTER),
        AgentAnswered(
            still_generating=True, question_set=QuestionSet((Question("Which music?", ("Calm",)),))
        ),
        (QuestionAnswer(words=("Calm",)), "1.0"),
    )
    await rig.nemo.script([{"text": "I took the calm one."}])
    assert await ask(rig, attempt) == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert wants_export(answered)


async def test_what_an_announced_video_will_cost_stays_counted_until_it_is_charged(
    rig: Rig, redis: Redis
) -> None:
    rig.projects.operator_token.token = (await rig.nemo.add_account()).token
    await rig.open_project(a_draft(VIDEO))
    job = rig.job(prompt="add a clip")
    await redis.hset(keys.job_key(str(job.chat), job.id), "state", "running")
    await rig.nemo.script(ANNOUNCED)
    assert await ask(rig, rig.attempt(job)) == ""
    totals = await redis.hgetall(keys.totals_key(rig.clock.now().date().isoformat()))
    assert (totals["credits_reserved"], totals["credits_unseen"]) == ("0", "50")


def test_the_video_of_before_is_not_made_while_a_new_one_is() -> None:
    text = "Click the Export button when it is done."
    assert not wants_export(AgentAnswered(text=text, still_generating=True))


@pytest.mark.parametrize(
    ("text", "has_changed", "wanted"),
    [
        ("Click the Export button to download your video.", False, True),
        ("点击“导出”按钮。", False, True),
        ("I can trim and join clips.", False, False),
        ("I trimmed it.", True, True),
    ],
)
def test_the_export_button_calls_for_the_video(text: str, has_changed: bool, wanted: bool) -> None:
    assert wants_export(AgentAnswered(text=text, has_changed=has_changed)) is wanted


async def test_an_answer_that_is_lost_ends_the_job_with_a_retry(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(scripts.cut_before_work())
    attempt = rig.attempt(rig.job(prompt="trim it"), (AgentTextSoFar(text="I begin."), ""))
    assert await ask(rig, attempt) == "error.stream_lost"
    assert len(await rig.nemo.messages()) == 1
    assert pending_answer(attempt) == AgentMessage("I begin.")  # It goes out with the error.


UNREADABLE: dict[str, dict[str, Any]] = {
    "gateway": {"status": 502, "body": "<html>Bad gateway</html>"},
    "failure": {"status": 500, "code": 5000},
    "refusal": {"status": 403, "content_type": "application/json", "body": '{"error": "not for you"}'},
    "token": {"code": 1001},
    "nonsense": {"status": 200, "body": "<html>"},
    "dropped": {"drop": True},
}
SAID: Script = [{"text": "I trimmed it."}]


@pytest.mark.parametrize(
    ("end", "fault", "times"),
    [
        *((SAID, fault, -1) for fault in UNREADABLE),
        (SAID, "failure", 2),
        ([], "gateway", -1),
        ([{"cut": True}], "gateway", -1),
        (scripts.coded_error(429), "gateway", -1),
        (scripts.coded_error(429), "token", -1),
    ],
)
async def test_what_was_paid_for_is_never_asked_for_again_where_the_project_cannot_be_read(
    rig: Rig, end: Script, fault: str, times: int
) -> None:
    await rig.open_project(a_draft(VIDEO))
    hold = await rig.nemo.hold("message", "work")
    await rig.nemo.script([{"edit": TRIM}, *end])
    attempt = rig.attempt(rig.job(prompt=TRIM))
    asking = asyncio.create_task(ask(rig, attempt))
    await rig.nemo.reached(hold)
    await rig.nemo.fault("state", times=times, **UNREADABLE[fault])
    await rig.nemo.release()
    with stamina.set_testing(True, attempts=3):  # without its pauses
        assert await asking == ""
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.has_changed
    assert len(await rig.nemo.messages()) == 1
    pending_answer(attempt)  # It waits for the export, which costs nothing.


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "code": 5000},
        {"status": 200, "body": '{"code": 0, "data": {}}', "content_type": "application/json"},
    ],
    ids=["refused", "without figures"],
)
async def test_credits_that_cannot_be_read_do_not_keep_the_video(rig: Rig, fault: dict[str, Any]) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"edit": TRIM}, {"text": "I trimmed it. Check your account billing page."}])
    await rig.nemo.fault("credits", times=-1, **fault)
    attempt = rig.attempt(rig.job(prompt=TRIM))
    with stamina.set_testing(True, attempts=3):  # without its pauses
        assert await ask(rig, attempt) == ""
    pending_answer(attempt)


async def test_what_is_left_for_a_generation_is_not_told_to_a_group(rig: Rig) -> None:
    attempt = rig.attempt(rig.job(chat=ChatKey(-1001), prompt="generate a video of a cat"))
    with pytest.raises(JobEnded) as ended:
        await TurnCredits(rig.projects, rig.credit_limits, attempt, Turn()).ensure_enough(40)
    assert isinstance(ended.value.message, PrivateMessage)
    assert "40" not in str(ended.value.message.about)


async def test_a_refused_message_gives_back_what_was_reserved_for_it(rig: Rig, redis: Redis) -> None:
    rig.projects.operator_token.token = (await rig.nemo.add_account()).token
    job = rig.job(prompt=TRIM)
    await redis.hset(keys.job_key(str(job.chat), job.id), "state", "running")
    await rig.nemo.fault("message", times=-1, status=400, message="no")
    assert await ask(rig, rig.attempt(job)) == "error.refused"
    totals = await redis.hgetall(keys.totals_key(rig.clock.now().date().isoformat()))
    assert (totals["credits_reserved"], totals["credits_unseen"]) == ("0", "0")


@pytest.mark.parametrize(("other_turns", "used"), [(0, 50), (1, None)])
async def test_what_others_used_of_the_same_account_is_not_told(
    rig: Rig, other_turns: int, used: int | None
) -> None:
    await rig.open_project()
    attempt = rig.attempt(rig.job(), PromptSent(credits_before=150, turns_before=0))
    for _ in range(other_turns):
        await rig.projects.operator_token.count_turn()
    use = await TurnCredits(rig.projects, rig.credit_limits, attempt, Turn()).read_after()
    assert use.used == used


@pytest.mark.parametrize(("chat", "key"), [(1, "generation.choose_of"), (-1001, "generation.choose")])
async def test_a_balance_is_told_in_private_only(rig: Rig, chat: int, key: str) -> None:
    attempt = rig.attempt(rig.job(prompt="generate a video of a cat", chat=ChatKey(chat)))
    assert await ask(rig, attempt) == key


@pytest.mark.parametrize("code", [1002, 401, 429])
@pytest.mark.parametrize(
    "work",
    [
        [{"text": "I begin."}],
        [{"tool": {"name": "trim_clip", "args": {}, "result": {"status": "ok"}}}],
        [{"thought": "Let me think."}],
        [{"edit": "trim it to 1 second"}],
    ],
    ids=["words", "tool", "thought", "edit"],
)
async def test_an_error_after_the_agent_began_to_work_sends_no_second_message(
    rig: Rig, work: Script, code: int
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([*work, *scripts.coded_error(code, "not now")])
    attempt = rig.attempt(rig.job(prompt="trim it"))
    ended = await ask(rig, attempt)
    assert bool(ended) is ("edit" not in work[0])  # The chat is told of the error, or of what changed.
    # It was paid for: a second message would be paid again.
    assert len(await rig.nemo.messages()) == 1
    if "text" in work[0]:
        assert pending_answer(attempt) == AgentMessage("I begin.")


async def test_a_refusal_before_any_event_is_repaired_and_sent_again(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(scripts.coded_error(1002, "no such session"))
    assert await ask(rig, rig.attempt(rig.job(prompt="trim it"))) == ""
    assert len(await rig.nemo.messages()) == 2
    assert rig.responder.sent["project_lost"] == LocalizedMessage(
        "lost.no_files", {"what": LocalizedMessage("lost.session_gone")}
    )


@pytest.mark.parametrize(
    "error", [{"error": "Session expired"}, {"code": 403, "message": "API key expired", "data": None}]
)
async def test_a_session_or_token_that_can_still_be_read_is_not_the_one_that_was_refused(
    rig: Rig, error: dict[str, object]
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"json": error}])
    assert await ask(rig, rig.attempt(rig.job(prompt="trim it"))) == "error.turn_unknown"
    assert len(await rig.nemo.messages()) == 1
    assert "project_lost" not in rig.responder.sent


async def test_a_starting_sandbox_told_within_the_stream_is_waited_for(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(
        [{"json": {"type": "warming_up"}}, *scripts.coded_error(503, "sandbox is starting")]
    )
    assert await ask(rig, rig.attempt(rig.job(prompt="trim it to 1 second"))) == ""
    assert len(await rig.nemo.messages()) == 2


async def test_only_extras_that_were_not_there_before_can_be_removed(rig: Rig) -> None:
    attempt = rig.attempt(
        rig.job(prompt="a cat"),
        AgentAnswered(text="Done.", has_changed=True, raw_video_announced=True),
        (KeptDraft(draft=a_draft(AUDIO)), before_turn(Turn())),
        (KeptDraft(draft=a_draft(VIDEO, AUDIO, TEXT)), AFTER),
    )
    await rig.open_project()
    await ask(rig, attempt)
    answer = pending_answer(attempt)
    assert isinstance(answer, AgentMessage)
    assert [button.label for button in answer.buttons] == ["button.keep", "button.strip_text"]
    # Each track once: what changed is not listed beside them.
    assert [line.key for line in answer.lines] == ["answer.all_tracks", *["status.track"] * 3]


async def test_an_added_voice_is_not_offered_for_removal_as_music(rig: Rig) -> None:
    spoken: dict[str, Any] = a_draft(VIDEO, AUDIO)
    spoken["t"][1]["name"] = "Voice-over"
    attempt = rig.attempt(
        rig.job(prompt="a cat"),
        AgentAnswered(text="Done.", has_changed=True, raw_video_announced=True),
        (KeptDraft(), before_turn(Turn())),
        (KeptDraft(draft=spoken), AFTER),
    )
    await rig.open_project()
    await ask(rig, attempt)
    answer = pending_answer(attempt)
    assert isinstance(answer, AgentMessage)
    assert [button.label for button in answer.buttons] == ["button.keep", "button.strip_other"]


@pytest.mark.parametrize("chat_id", [4711, -1001234567890])
async def test_what_a_chats_account_spent_is_counted_also_where_it_is_not_shown(
    rig: Rig, redis: Redis, chat_id: int
) -> None:
    attempt = rig.attempt(rig.job(prompt="a cat video of 5 seconds, 16:9", chat=ChatKey(chat_id)))
    await rig.nemo.script([{"edit": "make a 5 second video of a cat"}, {"text": "Here is your cat."}])
    await ask(rig, attempt)
    answered = attempt.load(AgentAnswered)
    assert answered is not None
    assert answered.credits_used == (100 if chat_id > 0 else 0)
    today = await AccountCredits(redis, rig.clock).today()
    assert today.sums == {"guest": AccountSums(count=1, spent=100, left=0)}
    assert [(use.chat_id, use.spent) for use in today.top] == [(chat_id, 100)]


async def test_an_error_after_a_change_is_no_end_of_the_job(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"edit": "trim it to 1 second"}, {"text": "I trimmed it."}, *BUSY])
    attempt = rig.attempt(rig.job(prompt="trim it"))
    assert await ask(rig, attempt) == ""
    answer = pending_answer(attempt)
    assert isinstance(answer, AgentMessage)
    assert answer.markdown == "I trimmed it."
    stopped, credits_used = answer.lines[-2:]
    assert stopped == LocalizedMessage("answer.stopped_early")
    assert credits_used == LocalizedMessage("answer.credits_used", {"n": 50, "left": 50})
    assert answer.buttons == ()


@pytest.mark.parametrize(
    ("error", "key", "buttons"),
    [
        (BUSY, "error.turn_busy", ["button.retry"]),
        (scripts.coded_error(429, "slow down"), "error.turn_busy", ["button.retry"]),
        (scripts.typed_error("insufficient credits"), "error.turn_quota", ["button.credits", "button.retry"]),
        (scripts.blocked(), "error.turn_policy", []),
        (scripts.typed_error("real people are not supported"), "error.turn_person", []),
        (scripts.typed_error("DEADLINE_EXCEEDED"), "error.turn_unavailable", ["button.retry"]),
        (scripts.typed_error("KeyError: 'x'"), "error.turn_unknown", ["button.retry"]),
    ],
)
async def test_an_error_that_changed_nothing_is_told_by_its_kind(
    rig: Rig, error: Script, key: str, buttons: list[str]
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"text": "I begin."}, *error])
    with pytest.raises(JobEnded) as ended:
        await AskAgent(rig.projects, LIMITS, rig.cards, rig.credit_limits, rig.usual_times)(
            rig.attempt(rig.job(prompt="trim it"))
        )
    message = ended.value.message
    assert isinstance(message, LocalizedMessage)
    assert (message.key, message.params) == (key, {})
    assert [button.label for button in message.buttons] == buttons


async def test_an_error_before_any_word_that_is_no_refusal_is_told_and_not_asked_again(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(BUSY)
    with pytest.raises(JobEnded) as ended:
        await AskAgent(rig.projects, LIMITS, rig.cards, rig.credit_limits, rig.usual_times)(
            rig.attempt(rig.job(prompt="trim it"))
        )
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "error.turn_busy"
    assert len(await rig.nemo.messages()) == 1


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        ({"code": 2999, "message": "KeyError: 'x'"}, "error.turn_unknown"),
        ({"code": 2999, "message": "real people are not supported"}, "error.turn_person"),
        ({"status": 400, "message": "KeyError: 'x'"}, "error.refused"),
        ({"status": 409, "message": "A turn is running already"}, "error.busy"),
    ],
)
async def test_a_refused_message_is_told_by_its_kind_where_it_has_a_code(
    rig: Rig, fault: dict[str, Any], key: str
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.fault("message", times=-1, **fault)
    with pytest.raises(JobEnded) as ended:
        await AskAgent(rig.projects, LIMITS, rig.cards, rig.credit_limits, rig.usual_times)(
            rig.attempt(rig.job(prompt="trim it"))
        )
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == key


async def test_of_an_error_and_a_later_answer_the_last_counts(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"text": "Hm."}, *BUSY, {"text": "It is all there."}])
    assert await ask(rig, rig.attempt(rig.job(prompt="trim it"))) == ""


@pytest.mark.parametrize("after", [[], [{"text": "Hm."}]], ids=["nothing", "the same words again"])
async def test_an_error_after_all_that_was_said_counts(rig: Rig, after: Script) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script([{"text": "Hm."}, *BUSY, *after])
    assert await ask(rig, rig.attempt(rig.job(prompt="trim it"))) == "error.turn_busy"


async def test_a_starting_sandbox_is_waited_for(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    starting = {"status": 503, "content_type": "application/json", "body": '{"reason":"sandbox is starting"}'}
    await rig.nemo.fault("message", times=3, **starting)
    assert await ask(rig, rig.attempt(rig.job(prompt="trim it to 1 second"))) == ""
    assert len(await rig.nemo.messages()) == 1


@pytest.mark.parametrize(
    ("tool", "result", "stage", "is_raw_video"),
    [
        ("generate_video", {"status": "ok"}, "progress.turn_tool_generate", True),
        ("seedance", {"url": "x"}, "progress.turn_tool_generate", True),
        ("generate_video", {"status": "pending"}, "progress.turn_tool_generate", False),
        ("generate_video", {"error": "no capacity"}, "progress.turn_tool_generate", False),
        ("generate_music", {"status": "ok"}, "progress.turn_tool_sound", False),
        ("understand_video", {"status": "ok"}, "progress.turn_tool_look", False),
        ("edit_draft", {"status": "ok"}, "progress.turn_tool_edit", False),
    ],
)
async def test_a_tool_names_its_stage_and_only_a_video_is_announced(
    rig: Rig, tool: str, result: dict[str, str], stage: str, is_raw_video: bool
) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(
        [{"tool": {"name": tool, "args": {}, "result": result}}, {"wait_s": 20}, {"text": "There."}]
    )
    await ask(rig, rig.attempt(rig.job(prompt="go on")))
    assert stage in rig.responder.stages
    assert ("answer.raw_ready" in rig.responder.stages) is is_raw_video
    assert tool not in repr([*rig.responder.sent.values(), *rig.responder.stages])


@pytest.mark.parametrize(("chat_id", "is_shown"), [(4711, True), (-1001234567890, False)])
async def test_a_balance_that_the_agent_points_to_is_shown_in_private_only(
    rig: Rig, chat_id: int, is_shown: bool
) -> None:
    await rig.nemo.script([{"text": "Nothing to do. Check your account billing page."}])
    await ask(rig, rig.attempt(rig.job(prompt=TRIM, chat=ChatKey(chat_id))))
    assert ("credits" in rig.responder.sent) is is_shown


@pytest.mark.parametrize("is_last", [True, False])
async def test_the_one_request_that_is_to_be_rendered_is(rig: Rig, is_last: bool) -> None:
    chat = await rig.open_project(a_draft(VIDEO))
    job, later = rig.job(prompt=TRIM), rig.job(prompt=TRIM)
    fields = ChatFields(last_only_job_id=job.id if is_last else later.id)
    await rig.projects.chats.update(chat.key, fields)
    attempt = rig.attempt(job)
    queue_of(attempt).waiting = {
        one.id: JobStatus(one, JobState.RUNNING, number) for number, one in enumerate((job, later))
    }
    await ask(rig, attempt)
    assert (attempt.load(RenderSkipped) is None) is is_last


async def test_what_was_uploaded_can_be_exported_though_the_agent_had_nothing_to_change(rig: Rig) -> None:
    await rig.open_project(a_draft(VIDEO))
    await rig.nemo.script(scripts.say("It is all there."))
    attempt = rig.attempt(rig.job(prompt="trim it"), (Uploaded(session_id="s"), FILES))
    await ask(rig, attempt)
    answer = rig.responder.sent["answer"]
    assert isinstance(answer, AgentMessage)
    assert [button.label for button in answer.buttons] == ["button.export"]


async def test_a_draft_that_can_be_read_in_the_end_has_not_changed_unseen(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.open_project(a_draft(0))
    attempt = rig.attempt()
    draft, get_state = TurnDraft(rig.projects, LIMITS, attempt, Turn()), rig.projects.get_state
    failures = iter([True] * LIMITS.recovery_readings)

    async def get_state_later(*args: Any) -> ProjectState:
        if next(failures, False):
            raise ServiceError(Call("GET", "/state"), "down", status=500)
        return await get_state(*args)

    monkeypatch.setattr(rig.projects, "get_state", get_state_later)
    await draft.read_after_turn(may_lag=True)
    assert draft.is_unread
    await draft.wait_for_change()
    assert not draft.is_unread
