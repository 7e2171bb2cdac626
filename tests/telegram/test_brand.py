"""``/brand``: who may set what, and which files are taken."""

from typing import Any

import pytest

from bot.chats.brand import Brand, BrandPart
from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.jobs.messages import ListMessage
from bot.jobs.model import JobKind
from bot.jobs.payloads import BrandPayload, MessagePayload
from bot.words import Words
from tests.telegram.test_group_life import said
from tests.telegram.test_handlers import (
    ANN,
    BO,
    FROM_BO,
    GROUP,
    PRIVATE,
    Received,
    docket,
    message,
    press,
    received,
)

__all__ = ["docket", "received"]  # fixtures

KEY = ChatKey(PRIVATE["id"])
FROM_ANN = {"from": ANN}
IMAGE = {
    "document": {
        "file_id": "mark",
        "file_unique_id": "u",
        "file_name": "our mark.png",
        "mime_type": "image/png",
        "file_size": 900,
    }
}
SOUND = {
    "audio": {
        "file_id": "song",
        "file_unique_id": "s",
        "duration": 3,
        "file_name": "song.mp3",
        "mime_type": "audio/mpeg",
        "file_size": 900,
    }
}


def replying(file: dict[str, Any]) -> dict[str, Any]:
    return {**FROM_ANN, "reply_to_message": {"message_id": 3, "date": 1, "chat": PRIVATE, **file}}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (message("/brand logo", PRIVATE, **replying(IMAGE)), BrandPart.LOGO),
        (message("/brand 片尾", PRIVATE, **replying(IMAGE)), BrandPart.OUTRO),
        (message("", PRIVATE, **FROM_ANN, **IMAGE, caption="/brand Intro"), BrandPart.INTRO),
        (message("/brand my logo.", PRIVATE, **replying(IMAGE)), BrandPart.LOGO),
        (message("/brand  水印 ", PRIVATE, **replying(IMAGE)), BrandPart.LOGO),
        (
            message("/brand logo", PRIVATE, **FROM_ANN, external_reply={"origin": FROM_BO, **IMAGE}),
            BrandPart.LOGO,
        ),
    ],
)
async def test_a_file_is_looked_into_before_it_is_kept(
    received: Received, body: dict[str, Any], part: BrandPart
) -> None:
    (job,) = await received(body)
    assert (job.kind, job.payload_as(BrandPayload).part) == (JobKind.BRAND, part)
    (file,) = job.files
    # The message in another chat isn't one of this chat.
    numbers = {"reply_to_message": 3, "external_reply": None, "caption": 7}
    assert (file.file_id, file.message_id) == (
        "mark",
        next(number for name, number in numbers.items() if name in body["message"]),
    )
    assert await received.chats.brands.load(KEY) == Brand()


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (message("/brand logo", PRIVATE, **FROM_ANN), "brand.how_logo"),
        (message("/brand intro", PRIVATE, **replying(SOUND)), "brand.how_intro"),
        (message("/brand banner", PRIVATE, **replying(IMAGE)), "brand.heading"),
        (message("/brand logo", GROUP, **{"from": BO}), "error.admins_only"),
        (
            message(
                "/brand logo",
                PRIVATE,
                **replying({"document": {**IMAGE["document"], "file_size": 30_000_000}}),
            ),
            "error.file_too_large_telegram",
        ),
    ],
)
async def test_what_can_be_no_part_of_a_brand_is_said_to_be_none(
    received: Received, body: dict[str, Any], key: str
) -> None:
    (answer,) = await received(body)
    assert said(answer.payload) == key
    assert await received.chats.brands.load(ChatKey(body["message"]["chat"]["id"])) == Brand()


async def test_the_page_sets_a_format_and_removes_a_file(received: Received) -> None:
    logo = ProjectFile(
        telegram_chat_id=KEY.chat_id, message_id=3, session_id="", name="logo.png", file_id="mark"
    )
    await received.chats.brands.set_file(KEY, BrandPart.LOGO, logo)
    await received(press("1:brand_format:9x16", ANN, PRIVATE))
    (answer,) = await received(message("/brand", PRIVATE, message_id=8, **FROM_ANN))
    view = answer.payload_as(MessagePayload).message
    assert isinstance(view, ListMessage)
    assert [line.key for line in view.lines] == [
        "brand.format",
        "brand.has_logo",
        "brand.how_intro",
        "brand.how_outro",
    ]
    await received(press("1:brand_remove:logo", ANN, PRIVATE))
    await received(press("1:brand_format:clip", ANN, PRIVATE))
    assert await received.chats.brands.load(KEY) == Brand()


async def test_presses_of_others_and_forged_ones_change_nothing(received: Received) -> None:
    for data, chat, toast in (
        ("brand_format:9x16", GROUP, "toast.admins_only"),
        ("brand_remove:logo", GROUP, "toast.admins_only"),
        ("brand_format:7x5", PRIVATE, "toast.old_button"),
        ("brand_remove:x", PRIVATE, "toast.old_button"),
    ):
        await received(press(f"1:{data}", BO if chat is GROUP else ANN, chat))
        assert await received.toast() == Words("en").plain(toast), data
        assert await received.chats.brands.load(ChatKey(chat["id"])) == Brand()
