"""Saving a request as a template, and what its buttons ask for."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.chats.chats import ChatFields
from bot.chats.key import ChatKey
from bot.chats.templates import MAX_TEMPLATE_PROMPT_CHARS, MAX_TEMPLATES, Template
from bot.jobs.buttons import RunTemplate, VariationAspect, pack
from bot.jobs.checkpoints import Turn
from bot.jobs.model import JobKind
from bot.jobs.payloads import EditPayload, VariationsPayload
from bot.jobs.queue.waiting_checkpoints import WaitingCheckpoints
from bot.words import Words
from tests.telegram.test_group_life import club, said
from tests.telegram.test_handlers import ANN, PRIVATE, Received, docket, message, press, received

__all__ = ["docket", "received"]  # fixtures

KEY = ChatKey(PRIVATE["id"])
SAVED = Template(name="Shorts", prompt="trim it", saved_at=datetime.now(UTC))


async def test_the_latest_request_is_saved_with_the_answers_to_the_agents_questions(
    received: Received,
) -> None:
    (edit,) = await received(message("make it calm", PRIVATE, **{"from": ANN}))
    assert not edit.is_press
    await received.chats.update(KEY, ChatFields(answer_job_id=edit.id))
    turn = Turn(number=2, prompt="1. Which look?: Film")
    await WaitingCheckpoints(received.job_queue, edit).save(turn)
    (answer,) = await received(message("/save  my  shorts", PRIVATE, message_id=8, **{"from": ANN}))
    assert said(answer.payload) == "templates.saved"
    (saved,) = await received.chats.templates.all(KEY)
    assert (saved.name, saved.prompt) == ("my shorts", "make it calm\n\n1. Which look?: Film")


@pytest.mark.parametrize(
    ("text", "prompt", "key"),
    [
        ("/save", "trim it", "templates.how"),
        ("/save shorts", "", "templates.nothing_to_save"),
        ("/save shorts", "x" * (MAX_TEMPLATE_PROMPT_CHARS + 1), "templates.too_long"),
        ("/save shorts", "trim it", "templates.full"),
    ],
)
async def test_what_is_not_saved(received: Received, text: str, prompt: str, key: str) -> None:
    if prompt:
        (edit,) = await received(message(prompt, PRIVATE, **{"from": ANN}))
        await received.chats.update(KEY, ChatFields(answer_job_id=edit.id))
    for number in range(MAX_TEMPLATES):
        one = SAVED.model_copy(update={"name": str(number)})
        await received.chats.templates.save(KEY, one)
    (answer,) = await received(message(text, PRIVATE, message_id=8, **{"from": ANN}))
    assert said(answer.payload) == key


async def test_only_an_edits_words_are_saved(received: Received) -> None:
    (edit,) = await received(message("trim it", PRIVATE, **{"from": ANN}))
    payload = VariationsPayload(aspect=VariationAspect.MUSIC)
    versions = replace(edit, id="b" * 16, kind=JobKind.VARIATIONS, prompt="3 versions", payload=payload)
    await received.job_queue.enqueue([versions], "versions")
    await received.chats.update(KEY, ChatFields(answer_job_id=versions.id))
    (answer,) = await received(message("/save shorts", PRIVATE, message_id=8, **{"from": ANN}))
    assert said(answer.payload) == "templates.nothing_to_save"


async def test_a_template_runs_now_or_waits_for_the_next_file(received: Received) -> None:
    await received.chats.templates.save(KEY, SAVED)
    now = pack(RunTemplate(on_next_file=False, mark=SAVED.mark))
    (job,) = await received(press(now, ANN, PRIVATE))
    assert (job.kind, job.prompt, job.payload_as(EditPayload).needs_clip) == (JobKind.EDIT, "trim it", True)
    assert job.is_press
    assert await received(press(now, ANN, PRIVATE)) == []  # Pressed twice.
    later = pack(RunTemplate(on_next_file=True, mark=SAVED.mark))
    assert await received(press(later, ANN, PRIVATE)) == []
    assert (await received.chats.get(KEY)).saved_prompt == "trim it"
    await received(press("1:run_template:1:unknown", ANN, PRIVATE))
    assert await received.toast() == Words("en").plain("templates.gone")


async def test_cancel_drops_a_template_that_waits_for_a_file(received: Received) -> None:
    await received.chats.templates.save(KEY, SAVED)
    await received(press(pack(RunTemplate(on_next_file=True, mark=SAVED.mark)), ANN, PRIVATE))
    for key in ("job.cancelled", "job.nothing_to_cancel"):
        (answer,) = await received(message("/cancel", PRIVATE, **{"from": ANN}))
        assert said(answer.payload) == key
    assert (await received.chats.get(KEY)).saved_prompt is None


async def test_in_groups_admins_delete_templates(received: Received) -> None:
    group, ann, bo, _ = await club(received)
    key = ChatKey(group["id"])
    await received.chats.templates.save(key, SAVED)
    await received(press(pack(RunTemplate(on_next_file=True, mark=SAVED.mark)), bo, group))
    assert (await received.chats.get(key)).saved_prompt is None  # The list is somebody else's.
    await received(press(f"1:delete_template:{SAVED.mark}", bo, group))
    assert await received.toast() == Words("en").plain("toast.admins_only")
    await received(press(f"1:delete_template:{SAVED.mark}", ann, group))
    assert await received.chats.templates.all(key) == []
