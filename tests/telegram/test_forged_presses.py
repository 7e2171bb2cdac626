"""Forged presses: callback data that no button has, and that of others' jobs and settings."""

from collections.abc import Iterable
from dataclasses import fields
from enum import StrEnum
from typing import get_type_hints

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from telegram import Update

from bot.jobs.buttons import ACTIONS, VERSION, ButtonAction, RunExample, pack, unpack
from bot.jobs.messages import Button
from bot.jobs.model import Job, JobKind, JobState
from bot.jobs.queue.packed_request import unpack as unpack_job
from bot.jobs.steps.show_skills import card_view
from bot.skills.cards import card_mark
from bot.store import keys
from bot.telegram.sending.keyboards import keyboard
from bot.words import Words
from tests.cards import built_in_cards
from tests.telegram.test_handlers import (
    ADMINS_ONLY,
    ANN,
    BO,
    GROUP,
    NOT_YOURS,
    OLD_BUTTON,
    PRIVATE,
    SETTINGS_OF_ADMINS,
    Json,
    Received,
    docket,
    message,
    press,
    received,
)

__all__ = ["docket", "received"]  # fixtures

GARBAGE = (
    *("", ":::", "-1", "٣", "9" * 50, "9" * 5000, "../../etc", "{*}", "\x00\x1b[2J", "\ud800", "\u202e😀"),
)
OF_JOBS = [action for action in ACTIONS.values() if "job_id" in {field.name for field in fields(action)}]
OTHER_VALUES = {
    "extra": "music",
    "choice": "post",
    "number": "1",
    "option": "0",
    "is_final": "1",
    "ratio": "9x16",
    "length_s": "5",
}
CARD = card_mark(built_in_cards().default)
OF_SETTINGS = (
    "set:0:auto_export",
    "set:1:send_as_file",
    "set:0:shrink_results",
    "set:1:replace_results",
    "language:zh",
    "settings",
    "skills:2",
    f"skill:{CARD}",
    f"card:1:{CARD}",
)


async def errors_of(received: Received, updates: Iterable[Json]) -> list[str]:
    """Give updates to the handlers; return what they, and their background tasks, failed with."""
    failed: list[str] = []
    with capture_logs() as lines:
        for body in updates:
            update = Update.de_json({"update_id": next(received.numbers), **body}, received.telegram.bot)
            try:
                await received.application.process_update(update)
            except Exception as error:
                failed.append(f"{body}: {error!r}")
        await received.application.stop()
        await received.application.start()
    return failed + [str(line) for line in lines if line["log_level"] == "error"]


async def stored(received: Received) -> list[Job]:
    names = [name async for name in received.redis.scan_iter(f"{keys.JOB}*")]
    return [unpack_job(str(await received.redis.hget(name, "request"))) for name in names]


async def toasts(received: Received) -> list[str]:
    calls = await received.telegram.people.calls("answerCallbackQuery")
    return [str(call["params"].get("text")) for call in calls]


async def test_forged_data_is_never_an_unexpected_error(received: Received) -> None:
    (job,) = await received(message("/new", PRIVATE, **{"from": ANN}))
    data = [*GARBAGE, *(f"{version}:cancel:{job.id}" for version in ("", "2", "²"))]
    for action in ACTIONS.values():
        arguments = len(fields(action))
        data += [f"{VERSION}:{action.name}:{value}" for value in GARBAGE if arguments]
        if action in OF_JOBS and arguments > 1:
            data += [f"{VERSION}:{action.name}:{job.id}:{value}" for value in GARBAGE[3:7]]
            data += [f"{VERSION}:{action.name}:{value}:{job.id}" for value in GARBAGE[3:7]]
    assert await errors_of(received, [press(one, ANN, PRIVATE) for one in data]) == []
    assert len(await toasts(received)) == len(data)
    # Only the buttons of a link and of the list of projects may do without an argument: what asks for something with
    # one needs a valid one.
    assert {other.kind for other in await stored(received)} == {JobKind.NEW, JobKind.LINK, JobKind.MESSAGE}


async def test_what_is_pressed_over_and_over_is_no_error(received: Received) -> None:
    """Not even when there is no room left for the answer that says so; a token is deleted all the same."""
    assert await errors_of(received, [press("1:credits", ANN, PRIVATE) for _ in range(55)]) == []
    assert len(await toasts(received)) == 55
    jobs = await received(message("nmv_usr_tokenofmine", PRIVATE, **{"from": ANN}))
    assert JobKind.DELETE_TOKEN in {job.kind for job in jobs}


FOR_EVERYONE = ("link", "more", "extract")
"""Actions with a job's id that all members of its chat may do; they charge nothing."""


@given(st.sampled_from(sorted(ACTIONS)), st.text())
def test_any_text_is_an_action_or_none(name: str, value: str) -> None:
    action = unpack(f"{VERSION}:{name}:{value}")
    assert action is None or action.name == name
    assert unpack(value) is None or value.startswith(f"{VERSION}:")


def data_of(action: type[ButtonAction], job: Job) -> str:
    types = get_type_hints(action)
    values = [
        next(iter(types[name])) if issubclass(types[name], StrEnum) else OTHER_VALUES.get(name, job.id)
        for name in (field.name for field in fields(action))
    ]
    return ":".join((VERSION, action.name, *values))


async def test_a_forged_press_on_somebody_elses_job_does_nothing(received: Received) -> None:
    (job,) = await received(message("/edit a cat", GROUP, **{"from": ANN}))
    forged = [press(data_of(action, job), BO) for action in OF_JOBS if action.name not in FOR_EVERYONE]
    assert await errors_of(received, forged) == []
    assert set(await toasts(received)) == {NOT_YOURS}
    assert len(forged) > 8
    status = await received.job_queue.find(job.chat, job.id)
    assert status
    assert status.state is JobState.QUEUED


async def test_a_forged_press_reaches_no_job_of_another_chat(received: Received) -> None:
    (job,) = await received(message("/edit a cat", GROUP, **{"from": ANN}))
    in_private = {**PRIVATE, "id": BO["id"]}
    forged = [press(data_of(action, job), BO, in_private) for action in OF_JOBS if action.name != "link"]
    assert await errors_of(received, forged) == []
    assert set(await toasts(received)) == {OLD_BUTTON}
    # This one asks for the link to one's own project, and learns nothing of the job.
    (link,) = await received(press(f"1:link:{job.id}", BO, in_private))
    assert (link.chat.chat_id, link.prompt) == (BO["id"], "")


async def test_a_member_changes_and_erases_nothing_of_the_group(received: Received) -> None:
    people = received.telegram.people
    ann, bo = await people.person("Ann"), await people.person("Bo")
    club = await people.new_chat("supergroup", "Club", ann, bo)
    chat = {"id": club.id, "type": "supergroup", "title": "Club"}
    member = {"id": bo.id, "is_bot": False, "first_name": "Bo"}
    (job,) = await received(message("/edit a cat", chat, **{"from": {**member, "id": ann.id}}))
    before = await received.chats.get(job.chat)
    assert await errors_of(received, [press(f"1:{data}", member, chat) for data in OF_SETTINGS]) == []
    assert set(await toasts(received)) == {SETTINGS_OF_ADMINS, NOT_YOURS}
    assert await received(press("1:forget", member, chat)) == []
    assert (await toasts(received))[-1] == ADMINS_ONLY
    assert await received.chats.get(job.chat) == before
    assert not await people.calls("editMessageText", "editMessageReplyMarkup")


async def test_a_member_does_not_cancel_what_another_asked_for(received: Received) -> None:
    (job,) = await received(message("/edit a cat", GROUP, **{"from": ANN}))
    (told,) = await received(message("/cancel", GROUP, message_id=8, **{"from": BO}))
    assert told.kind is JobKind.MESSAGE
    status = await received.job_queue.find(job.chat, job.id)
    assert status
    assert status.state is JobState.QUEUED


async def test_a_forged_press_puts_a_card_in_no_other_messages_place(received: Received) -> None:
    data = f"1:card:1:{CARD}"
    body = press(data, BO)
    assert await errors_of(received, [body]) == []
    assert await toasts(received) == [NOT_YOURS]
    assert not await received.telegram.people.calls("editMessageText")
    button = {"inline_keyboard": [[{"text": "More", "callback_data": data}]]}
    body["callback_query"]["message"]["reply_markup"] = button
    assert await errors_of(received, [body]) == []
    assert await received.telegram.people.calls("editMessageText")


async def test_the_last_example_is_sent_as_all_others(received: Received) -> None:
    telegram, card = received.telegram, built_in_cards().active(None)
    ada = await telegram.people.person("Ada")
    await ada.open()
    examples = [
        action
        for button in card_view(card, Words("en")).buttons
        if isinstance(action := button.action, RunExample)
    ]
    markup = keyboard([Button(text="x", action=action) for action in examples], Words("en"))
    sent = (await telegram.bot.send_message(ada.id, "Examples", reply_markup=markup)).to_dict()
    for number, example in enumerate(examples):
        body = press(pack(example), {"id": ada.id, "is_bot": False, "first_name": "Ada"})
        body["callback_query"]["message"] = sent
        assert await errors_of(received, [body]) == []
        (shown,) = await ada.chat.messages(from_bots=True)
        sent = shown.json
        left = sent.get("reply_markup", {}).get("inline_keyboard", ())
        assert sum(map(len, left)) == len(examples) - number - 1
    assert len(await stored(received)) == len(examples) > 1
