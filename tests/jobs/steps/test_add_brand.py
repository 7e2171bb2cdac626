"""A chat's logo, intro and outro come along where a request asks for them, and a default format with the first."""

import pytest

from bot.chats.brand import BrandPart
from bot.chats.project_file import ProjectFile
from bot.jobs.checkpoints import FILES, Uploaded
from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import MAX_PROMPT_CHARS
from bot.jobs.payloads import EditPayload
from bot.jobs.steps.add_brand import add_brand, asked_parts
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.steps.upload import Upload
from bot.jobs.worker.attempt import JobEnded
from bot.sandbox.samples import make_photo
from tests.jobs.steps.conftest import Rig, a_draft, a_file, again

LOGO, INTRO, OUTRO = BrandPart.LOGO, BrandPart.INTRO, BrandPart.OUTRO


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("add my logo", [LOGO]),
        ("Trim it to 5 s, and put our logo in the corner.", [LOGO]),
        ("make it vertical with my intro and outro", [INTRO, OUTRO]),
        ("start with my intro. End with my outro!", [INTRO, OUTRO]),
        ("add my logo, my intro and my outro please", [LOGO, INTRO, OUTRO]),
        ("加上我的片头", [INTRO]),
        ("剪到 10 秒，打上我的logo", [LOGO]),
        ("配上音乐，再接上我们的片头和片尾", [INTRO, OUTRO]),
        ("remove my logo", []),
        ("Make it vertical, but don't add my logo", []),
        ("trim it without using our intro", []),
        ("不要加我的片头", []),
        ("别用我们的片尾", []),
        ("blur the logo on the shirt", []),
        ("add an intro", []),
        ("Add music. My intro is too long", []),
        ("把我的片头去掉", []),
        ("做一个片头", []),
    ],
)
def test_a_request_asks_for_what_is_the_chats_own(text: str, parts: list[BrandPart]) -> None:
    assert list(asked_parts(text)) == parts


async def set_logo(rig: Rig, chat_id: int = 4711) -> None:
    logo = ProjectFile(
        telegram_chat_id=chat_id,
        message_id=3,
        session_id="",
        name="logo.jpg",
        file_id="logo-file",
        kind="photo",
        unique_id="logo-content",
    )
    job = rig.job()
    await rig.projects.chats.brands.set_file(job.chat, LOGO, logo)


async def test_the_file_and_a_word_about_it_are_added(rig: Rig) -> None:
    await set_logo(rig)
    attempt = rig.attempt(rig.job(prompt="add my logo and intro", files=(a_file(1),)))
    await add_brand(rig.projects.chats, attempt)
    job = attempt.job
    assert [(file.file_id, file.message_id) for file in job.files] == [("file-1", 1), ("logo-file", 3)]
    assert job.prompt.startswith("add my logo and intro\n\n(The file logo.jpg is my logo")
    assert "intro:" not in job.prompt  # There is none.
    assert job.payload_as(EditPayload).supporting_file_ids == ("logo-file",)

    unasked = rig.attempt(rig.job(prompt="trim it"))
    await add_brand(rig.projects.chats, unasked)
    assert unasked.job == rig.attempt(unasked.job).job
    assert unasked.job.files == ()


async def test_a_long_request_leaves_room_for_the_word_about_the_file(rig: Rig) -> None:
    await set_logo(rig)
    attempt = rig.attempt(rig.job(prompt="add my logo. " + "x" * MAX_PROMPT_CHARS))
    await add_brand(rig.projects.chats, attempt)
    assert len(attempt.job.prompt) == MAX_PROMPT_CHARS
    assert "(The file logo.jpg is my logo" in attempt.job.prompt


async def test_an_attempt_that_goes_on_brings_the_logo_once(rig: Rig) -> None:
    await rig.open_project(a_draft(0))
    await set_logo(rig)
    path = rig.responder.result_path.with_name("logo.jpg")
    make_photo(path)
    rig.responder.files["logo-file"] = path.read_bytes()
    attempt = rig.attempt(rig.job(prompt="add my logo"))
    upload = Upload(rig.projects, rig.cards, rig.usual_times)
    await upload(attempt)
    following = again(attempt)
    await upload(following)
    assert [one.name for one in await rig.nemo.uploads()] == ["logo.jpg"]
    uploaded = following.load(Uploaded, FILES)
    assert uploaded is not None
    assert list(uploaded.sources) == ["logo-file"]
    assert "is my logo" in following.job.prompt

    # The project has it now.
    later = rig.attempt(rig.job(prompt="add my logo once more"))
    await upload(later)
    assert len(await rig.nemo.uploads()) == 1
    assert "is my logo" in later.job.prompt
    assert "(This is about" not in later.job.prompt


async def test_a_default_format_goes_with_the_first_request_that_names_none(rig: Rig) -> None:
    chat = await rig.open_project(a_draft(0))
    await rig.projects.chats.brands.set_ratio(chat.key, "1:1")
    ask = AskAgent(rig.projects, TurnLimits(), rig.cards, rig.credit_limits, rig.usual_times)
    for text in ("make it vertical", "trim it to 2 seconds"):
        attempt = rig.attempt(rig.job(prompt=text))
        await ask(attempt)
    first, second = [message.text for message in await rig.nemo.messages()]
    assert first == "make it vertical"
    assert second == "trim it to 2 seconds"  # The project has a format by now.


async def test_a_clip_from_words_is_offered_in_the_default_format(rig: Rig) -> None:
    chat = await rig.open_project()
    await rig.projects.chats.brands.set_ratio(chat.key, "1:1")
    ask = AskAgent(rig.projects, TurnLimits(), rig.cards, rig.credit_limits, rig.usual_times)
    with pytest.raises(JobEnded) as ended:
        await ask(rig.attempt(rig.job(prompt="make a video of a cat")))
    assert isinstance(ended.value.message, LocalizedMessage)
    assert next(button.text for button in ended.value.message.buttons if button.is_chosen) == "1:1"
    await ask(rig.attempt(rig.job(prompt="trim it to 2 seconds")))
    (asked,) = await rig.nemo.messages()
    assert asked.text == "trim it to 2 seconds\n\nThe format is 1:1, unless I ask for another one."
