"""Versions that differ in one thing: each made from the same draft, all delivered together, and what fails told."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.chats.chats import ChatFields
from bot.chats.project_list import project_mark
from bot.jobs.buttons import Export, RestoreVersion, ShowVersion, VariationAspect
from bot.jobs.buttons import MakeVariations as MakeVariationsButton
from bot.jobs.checkpoints import AgentAnswered, Exported, PendingAnswer, field_of
from bot.jobs.messages import ListMessage, LocalizedMessage, PrivateMessage
from bot.jobs.model import Job, JobKind
from bot.jobs.payloads import VariationsPayload
from bot.jobs.queue.claimed_job import ClaimedJob, SaveOutcome
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.make_variations import MakeVariations, VariationEnded
from bot.jobs.steps.offer_variations import OfferVariations
from bot.jobs.steps.save_version import SaveVersion
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.variations import styles, variation_prompt
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.drafts import read_draft
from bot.sandbox.nemovideo import scripts
from bot.words import Words
from tests.jobs.steps.conftest import Rig, a_draft, again, queue_of

NAMES = ["variations.calm", "variations.upbeat", "variations.cinematic"]


def a_job(rig: Rig, aspect: VariationAspect | None = VariationAspect.MUSIC, **fields: Any) -> Job:
    payload = VariationsPayload(aspect=aspect)
    return rig.job(**{"kind": JobKind.VARIATIONS, "prompt": "3 versions", "payload": payload} | fields)


async def make(rig: Rig, attempt: Attempt) -> None:
    turn_limits = TurnLimits(recovery_first_s=1, recovery_every_s=1, recovery_readings=2)
    ask_agent = AskAgent(rig.projects, turn_limits, rig.cards, rig.credit_limits, rig.usual_times)
    await MakeVariations(rig.projects, ask_agent, SaveVersion(rig.projects, rig.topics), rig.export)(attempt)


@pytest.fixture
async def project(rig: Rig) -> str:
    """A project with a short clip; returns its mark."""
    chat = await rig.open_project(a_draft(0, seconds=0.5))
    return project_mark(chat.session_id or "")


def last_message(rig: Rig) -> ListMessage:
    (*_, message) = rig.responder.sent.values()
    assert isinstance(message, ListMessage)
    return message


async def test_each_version_begins_with_the_same_draft_and_all_come_as_one_album(
    rig: Rig, project: str
) -> None:
    attempt = rig.attempt(a_job(rig))
    await make(rig, attempt)
    asked = [message.text for message in await rig.nemo.messages()]
    assert [text.partition("\n")[0] for text in asked] == [
        Words("en").plain(f"prompt.variation_{style}") for style in ("calm", "upbeat", "cinematic")
    ]
    assert ["- video: clip (0-0.5 s)" in text for text in asked] == [False, True, True]
    versions = await rig.projects.chats.versions.all(attempt.job.chat, project)
    assert [(one.number, one.file_id) for one in versions] == [
        (0, ""),
        (1, "file 0"),
        (2, "file 1"),
        (3, "file 2"),
    ]
    assert [len(one.draft.tracks) for one in versions if one.draft] == [1, 2, 2, 2]  # No two kinds of music.
    ((results, caption),) = rig.responder.albums
    assert [result.path and result.path.name for result in results] == [f"result-{n}.mp4" for n in (1, 2, 3)]
    assert isinstance(caption, ListMessage)
    said = [line.params["name"] for line in (caption.heading, *caption.lines)]
    assert said == [LocalizedMessage(name) for name in NAMES]
    choice = last_message(rig)
    assert [button.action for button in choice.buttons] == [RestoreVersion(project, n) for n in "123"]
    assert attempt.load(PendingAnswer) is None
    assert rig.responder.stages.count("progress.turn") >= 3

    await make(rig, again(attempt))
    assert len(await rig.nemo.messages()) == len(await rig.nemo.renders()) == 3


async def test_an_attempt_goes_on_with_the_version_that_was_not_made_and_files_that_are_gone(
    rig: Rig, project: str
) -> None:
    attempt = rig.attempt(a_job(rig))
    rig.responder.album_error = RuntimeError("killed")
    with pytest.raises(RuntimeError):
        await make(rig, attempt)
    (rig.responder.result_path.parent / "result-2.mp4").unlink()
    rig.responder.album_error = None
    await make(rig, again(attempt))
    assert len(await rig.nemo.messages()) == 3
    assert len(await rig.nemo.renders()) == 3  # It is fetched again.
    assert len(rig.responder.albums[0][0]) == 3


@pytest.mark.parametrize("lost", ["agent_answered:@2", "variation:2"])
async def test_an_attempt_that_died_in_a_version_asks_and_renders_it_once(
    rig: Rig, project: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = rig.attempt(a_job(rig))
    queue = queue_of(attempt)
    save = queue.save

    async def dying(claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        if lost in values:
            raise RuntimeError("killed")
        return await save(claimed, values)

    monkeypatch.setattr(queue, "save", dying)
    with pytest.raises(RuntimeError):
        await make(rig, attempt)
    monkeypatch.undo()
    await make(rig, again(attempt))
    assert len(await rig.nemo.messages()) == len(await rig.nemo.renders()) == 3
    versions = await rig.projects.chats.versions.all(attempt.job.chat, project)
    assert [one.number for one in versions] == [0, 1, 2, 3]
    assert len(rig.responder.albums[0][0]) == 3


def not_begun(*names: str) -> tuple[LocalizedMessage, ...]:
    reason = LocalizedMessage("variations.not_begun")
    return tuple(
        LocalizedMessage("variations.line_failed", {"name": LocalizedMessage(name), "reason": reason})
        for name in names
    )


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_no_version_is_asked_for_while_the_one_before_is_still_being_made(
    rig: Rig, project: str, monkeypatch: pytest.MonkeyPatch, is_restarted: bool
) -> None:
    """It would be taken for the result of the next one."""
    attempt = rig.attempt(a_job(rig))
    pending = {"tool": {"name": "generate_video", "args": {}, "result": {"status": "pending"}}}
    await rig.nemo.script([pending])
    if is_restarted:
        monkeypatch.setattr(MakeVariations, "_hold", AsyncMock(side_effect=RuntimeError("killed")))
        with pytest.raises(RuntimeError):
            await make(rig, attempt)
        monkeypatch.undo()
        attempt = again(attempt)
    with pytest.raises(JobEnded) as ended:
        await make(rig, attempt)
    assert len(await rig.nemo.messages()) == 1
    message = ended.value.message
    assert isinstance(message, ListMessage)
    assert message.heading.key == "answer.still_generating"
    assert message.lines == not_begun("variations.upbeat", "variations.cinematic")
    assert [button.label for button in message.buttons] == ["button.export"]


async def test_the_versions_before_one_that_is_still_being_made_are_delivered(rig: Rig, project: str) -> None:
    attempt = rig.attempt(a_job(rig))
    pending = {"tool": {"name": "generate_video", "args": {}, "result": {"status": "pending"}}}
    await rig.nemo.script([{"agent": True}])
    await rig.nemo.script([pending])
    await make(rig, attempt)
    assert len(await rig.nemo.messages()) == 2
    choice = last_message(rig)
    assert choice.lines[0].params["reason"] == LocalizedMessage("answer.still_generating")
    assert choice.lines[1:2] == not_begun("variations.cinematic")
    assert "button.export" in [button.label for button in choice.buttons]


async def test_a_version_that_fails_is_named_and_the_others_are_delivered(rig: Rig, project: str) -> None:
    attempt = rig.attempt(a_job(rig))
    await rig.nemo.script(scripts.say("I would rather not."))
    await make(rig, attempt)
    ((results, _),) = rig.responder.albums
    assert len(results) == 2
    choice = last_message(rig)
    failed, used = choice.lines
    assert used == LocalizedMessage("answer.credits_used", {"n": 50, "left": 50})
    assert failed.key == "variations.line_failed"
    assert failed.params == {
        "name": LocalizedMessage("variations.calm"),
        "reason": LocalizedMessage("variations.unchanged"),
    }
    assert choice.heading.params == {"n": 2, "version": "v2"}
    asked = [message.text for message in await rig.nemo.messages()]
    assert "Before that" not in asked[1]  # Nothing was changed yet.


async def after_version(
    rig: Rig, attempt: Attempt, number: int, happen: Callable[[], Awaitable[None]], patch: pytest.MonkeyPatch
) -> ListMessage:
    """Make the versions, with something that happens right after one of them; return the question at the end."""
    queue = queue_of(attempt)
    save = queue.save

    async def saving(claimed: ClaimedJob, values: Mapping[str, Any]) -> SaveOutcome:
        outcome = await save(claimed, values)
        if f"variation:{number}" in values:
            await happen()
        return outcome

    patch.setattr(queue, "save", saving)
    await make(rig, attempt)
    return last_message(rig)


async def test_the_present_version_is_told_if_its_video_failed(
    rig: Rig, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def happen() -> None:
        await rig.nemo.fault("render", times=-1, status=503)

    choice = await after_version(rig, rig.attempt(a_job(rig)), 2, happen, monkeypatch)
    assert choice.heading.params == {"n": 2, "version": "v3"}
    assert [line.key for line in choice.lines] == ["variations.line_failed", "answer.credits_used"]


async def test_no_version_begins_in_a_project_that_took_the_place_of_a_lost_one(
    rig: Rig, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def happen() -> None:
        (session,) = await rig.nemo.sessions()
        await rig.nemo.drop_session(session.id)

    choice = await after_version(rig, rig.attempt(a_job(rig)), 1, happen, monkeypatch)
    assert len(await rig.nemo.messages()) == 1
    failed = [line.params["reason"] for line in choice.lines if line.key == "variations.line_failed"]
    assert [isinstance(one, LocalizedMessage) and one.key for one in failed] == ["lost.no_files"] * 2


async def test_a_version_with_nothing_in_it_has_no_video(
    rig: Rig, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def happen() -> None:
        await rig.nemo.script([{"draft": a_draft()}, {"text": "I removed everything."}])

    choice = await after_version(rig, rig.attempt(a_job(rig)), 2, happen, monkeypatch)
    ((results, _),) = rig.responder.albums
    assert [result.path is not None for result in results] == [True, True]
    assert choice.heading.params == {"n": 2, "version": "v3"}


async def test_a_request_of_which_nothing_came_ends_with_the_reason(rig: Rig, project: str) -> None:
    await rig.nemo.script(scripts.coded_error(2001), times=3)
    with pytest.raises(JobEnded) as ended:
        await make(rig, rig.attempt(a_job(rig)))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert rig.responder.albums == []


async def test_no_more_versions_are_paid_for_once_the_plan_refuses_their_videos(
    rig: Rig, project: str
) -> None:
    await rig.nemo.fault("render", times=-1, code=402)
    attempt = rig.attempt(a_job(rig))
    for _ in ("first attempt", "next attempt"):
        with pytest.raises(JobEnded) as ended:
            await make(rig, attempt)
        attempt = again(attempt)
        message = ended.value.message
        assert isinstance(message, PrivateMessage)
        assert isinstance(message.message, ListMessage)
        assert message.message.heading.key.startswith("error.export_plan_")
        assert [line.key for line in message.message.lines] == [
            "variations.line_failed",
            "variations.line_failed",
            "answer.credits_used",
        ]
    assert len(await rig.nemo.messages()) == 1


async def test_finished_versions_are_delivered_with_the_reason_why_no_more_can_be_made(
    rig: Rig, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def happen() -> None:
        await rig.nemo.fault("message", times=-1, code=2001)

    with pytest.raises(JobEnded) as ended:
        await after_version(rig, rig.attempt(a_job(rig)), 1, happen, monkeypatch)
    assert isinstance(ended.value.message, PrivateMessage)
    assert [one.label for one in ended.value.message.buttons] == ["button.register"]
    ((results, _),) = rig.responder.albums
    assert len(results) == 1
    assert [line.key for line in last_message(rig).lines if "failed" in line.key] == [
        "variations.line_failed"
    ] * 2
    assert len(await rig.nemo.messages()) == 1


async def test_what_is_finished_is_offered_when_the_rest_is_cancelled(rig: Rig, project: str) -> None:
    attempt = rig.attempt(
        a_job(rig), *((VariationEnded(mark=project, version=n), str(n)) for n in (1, 2)), AgentAnswered()
    )
    await rig.nemo.script(scripts.say("No."), times=-1)
    rig.responder.album_error = RuntimeError("stopped")
    with pytest.raises((RuntimeError, JobEnded)):
        await make(rig, attempt)
    held = attempt.load(PendingAnswer)
    assert held is not None
    assert [button.action for button in held.message.buttons] == [ShowVersion(project, n) for n in "12"]


async def test_videos_that_are_no_album_are_sent_one_by_one(rig: Rig, project: str) -> None:
    rig.responder.takes_albums = False
    await make(rig, rig.attempt(a_job(rig, VariationAspect.TITLE)))
    assert [key for key, _ in rig.responder.delivered] == [f"variation.{n}" for n in (1, 2, 3)]
    answers = [result.answer for _, result in rig.responder.delivered]
    assert [isinstance(one, LocalizedMessage) and one.params["version"] for one in answers] == [
        "v1",
        "v2",
        "v3",
    ]


async def test_no_version_is_offered_whose_draft_is_not_kept(rig: Rig, project: str) -> None:
    ended = [(VariationEnded(mark=project, version=n, is_kept=n != 2), str(n)) for n in (1, 2, 3)]
    exported = Exported(digest="d", file_id="sent before").model_dump(mode="json")
    values = {field_of(Exported) + part: exported for part in ("", ":@2", ":@3")}
    await make(rig, rig.attempt(a_job(rig), *ended, values=values))
    assert len(rig.responder.albums[0][0]) == 3
    assert [button.action for button in last_message(rig).buttons] == [
        RestoreVersion(project, n) for n in "13"
    ]


async def test_the_offer_tells_the_price_and_what_is_left(rig: Rig) -> None:
    with pytest.raises(JobEnded):  # There is nothing to vary.
        await OfferVariations(rig.projects)(rig.attempt(a_job(rig, None, kind=JobKind.OFFER_VARIATIONS)))
    await rig.open_project(a_draft(0))
    for aspect, offered in ((None, list(VariationAspect)), (VariationAspect.TITLE, [VariationAspect.TITLE])):
        rig.responder.sent.clear()
        await OfferVariations(rig.projects)(rig.attempt(a_job(rig, aspect, kind=JobKind.OFFER_VARIATIONS)))
        offer = last_message(rig)
        assert offer.heading == LocalizedMessage(
            "variations.offer_of", {"n": 3, "needed": 150, "available": 100}
        )
        pressed = [button.action for button in offer.buttons if button.action is not None]
        assert pressed == [MakeVariationsButton(one) for one in offered]


async def test_the_offer_warns_where_the_plan_has_refused_an_export(rig: Rig, project: str) -> None:
    job = a_job(rig, aspect=None)
    await rig.projects.chats.update(job.chat, ChatFields(export_refused_at=rig.clock.now()))
    await OfferVariations(rig.projects)(rig.attempt(job))
    offer = last_message(rig)
    assert [line.key for line in offer.lines] == ["variations.lacks_export"]
    assert offer.buttons[-1].action == Export()


async def test_formats_of_a_generated_video_cost_a_generation_each(rig: Rig) -> None:
    project = await rig.projects.open(rig.job())
    prompt = "make a 1 second video of a cat"
    async for _ in rig.projects.nemo.send_message(project.credentials, project.session_id, prompt):
        pass
    await OfferVariations(rig.projects)(
        rig.attempt(a_job(rig, VariationAspect.FORMAT, kind=JobKind.OFFER_VARIATIONS))
    )
    assert last_message(rig).heading.params["needed"] == 300


def test_a_format_that_the_video_has_is_no_variation() -> None:
    assert "16:9" not in styles(VariationAspect.FORMAT, read_draft(a_draft(0)))
    assert len(styles(VariationAspect.FORMAT, read_draft(a_draft(0)))) == 3
    assert "4:5" in variation_prompt(Words("zh"), VariationAspect.FORMAT, "4:5", None)


async def test_a_variation_reads_its_own_checkpoints_again(rig: Rig) -> None:
    attempt = rig.attempt(a_job(rig))
    for number in (1, 2):
        with attempt.in_variation(number, 2, LocalizedMessage("variations.calm")):
            await attempt.save(AgentAnswered(text=f"variation {number}"))
            assert await attempt.reload(AgentAnswered) == AgentAnswered(text=f"variation {number}")


async def test_variations_have_checkpoints_of_their_own(rig: Rig) -> None:
    attempt = rig.attempt(a_job(rig))
    for number in (1, 2):
        with attempt.in_variation(number, 2, LocalizedMessage("variations.calm")):
            assert attempt.load(AgentAnswered) is None
            await attempt.save(AgentAnswered(text=f"part {number}"))
    assert (attempt.load(AgentAnswered) or AgentAnswered()).text == "part 1"  # As others read it.
    job = attempt.job
    with contextlib.suppress(JobEnded), attempt.in_variation(2, 2, LocalizedMessage("variations.calm")):
        attempt.job = a_job(rig, prompt="another")
        raise JobEnded(None)
    assert (attempt.variation, attempt.job) == (0, job)
    following = again(attempt)
    with following.in_variation(2, 2, LocalizedMessage("variations.calm")):
        assert (following.load(AgentAnswered) or AgentAnswered()).text == "part 2"
