"""An example that edits a clip waits for one, and runs with the next file."""

from datetime import timedelta

import pytest

from bot.chats.chats import ChatFields
from bot.jobs.messages import LocalizedMessage
from bot.jobs.payloads import EditPayload
from bot.jobs.steps.ask_for_clip import AskForClip, apply_pending_example
from bot.jobs.worker.attempt import JobEnded
from tests.jobs.steps.conftest import Rig, a_draft, a_file, again

EXAMPLE = "Put me on a beach"


async def keep(rig: Rig, *, minutes: float = 60) -> None:
    until = rig.clock.now() + timedelta(minutes=minutes)
    await rig.projects.chats.update(
        rig.job().chat, ChatFields(saved_prompt=EXAMPLE, saved_prompt_until=until)
    )


async def kept(rig: Rig) -> str | None:
    return (await rig.projects.chats.get(rig.job().chat)).saved_prompt


@pytest.mark.parametrize("has_clip", [True, False])
async def test_an_example_without_a_clip_asks_for_one_and_is_kept(rig: Rig, has_clip: bool) -> None:
    await rig.open_project(a_draft(0) if has_clip else None)
    attempt = rig.attempt(rig.job(prompt=EXAMPLE, payload=EditPayload(needs_clip=True)))
    if has_clip:
        await AskForClip(rig.projects)(attempt)
        assert await kept(rig) is None
        return
    with pytest.raises(JobEnded) as ended:
        await AskForClip(rig.projects)(attempt)
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "example.needs_clip"
    assert await kept(rig) == EXAMPLE


async def test_a_second_example_joins_the_first(rig: Rig) -> None:
    await keep(rig)
    with pytest.raises(JobEnded) as ended:
        await AskForClip(rig.projects)(
            rig.attempt(rig.job(prompt="Add music", payload=EditPayload(needs_clip=True)))
        )
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.params == {"prompt": f"{EXAMPLE}\nAdd music"}
    assert await kept(rig) == f"{EXAMPLE}\nAdd music"


@pytest.mark.parametrize("words", ["", "here it is", "就这个"])
async def test_the_next_file_without_a_request_runs_it_once_also_when_its_process_dies(
    rig: Rig, words: str
) -> None:
    await keep(rig)
    attempt = rig.attempt(rig.job(prompt=words, files=(a_file(),)))
    await apply_pending_example(rig.projects.chats, attempt)
    assert attempt.job.prompt == EXAMPLE
    assert await kept(rig) is None
    following = again(attempt)
    await apply_pending_example(rig.projects.chats, following)
    assert following.job.prompt == EXAMPLE


@pytest.mark.parametrize("with_file", [True, False])
async def test_words_of_their_own_drop_it(rig: Rig, with_file: bool) -> None:
    await keep(rig)
    attempt = rig.attempt(rig.job(prompt="trim it", files=(a_file(),) if with_file else ()))
    await apply_pending_example(rig.projects.chats, attempt)
    assert attempt.job.prompt == "trim it"
    assert await kept(rig) is None


async def test_a_file_that_comes_later_may_be_meant_for_anything(rig: Rig) -> None:
    await keep(rig, minutes=-1)
    attempt = rig.attempt(rig.job(prompt="", files=(a_file(),)))
    await apply_pending_example(rig.projects.chats, attempt)
    assert attempt.job.prompt == ""
    assert await kept(rig) is None


async def test_a_job_without_words_and_files_leaves_it(rig: Rig) -> None:
    await keep(rig)
    attempt = rig.attempt(rig.job(prompt=""))
    await apply_pending_example(rig.projects.chats, attempt)
    assert await kept(rig) == EXAMPLE
