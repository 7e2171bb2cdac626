from datetime import UTC, datetime, timedelta

import pytest
from telegram import Animation, Chat, Document, Message, PhotoSize, Sticker, VideoNote

from bot.jobs.model import Attachment
from bot.telegram.reading.attachments import (
    NAME_LENGTH,
    attachment_of,
    certainly_unusable,
    safe_name,
)


@pytest.fixture(autouse=True)
def _as_the_bot_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


def message(**media: object) -> Message:
    return Message(1, datetime.now(UTC), Chat(1, "private"), **media)  # type: ignore[arg-type]


def sticker(**flags: bool) -> Message:
    given = {"is_animated": False, "is_video": False} | flags
    return message(sticker=Sticker("id", "unique", 512, 512, type="regular", **given))  # type: ignore[arg-type]


def document(name: str, content_type: str) -> Attachment:
    return Attachment("id", "document", name, 10, content_type)


def test_of_a_photo_the_largest_size_counts() -> None:
    sizes = [PhotoSize("small", "s", 90, 60, 1000), PhotoSize("large", "l", 1280, 800, 90_000)]
    found = attachment_of(message(photo=sizes))
    assert found == Attachment(
        "large",
        "photo",
        "photo_1.jpg",
        90_000,
        "image/jpeg",
        width=1280,
        height=800,
        message_id=1,
        unique_id="l",
    )


def test_a_length_that_a_client_does_not_know_is_none() -> None:
    found = attachment_of(message(video_note=VideoNote("n", "u", 240, timedelta(0))))
    assert found is not None
    assert found.duration_s is None


@pytest.mark.parametrize("content_type", ["video/mp4; codecs=avc1", "VIDEO/MP4", " video/mp4 "])
def test_a_declared_type_counts_however_it_is_written(content_type: str) -> None:
    found = attachment_of(message(document=Document("a", "u", file_name="clip", mime_type=content_type)))
    assert found is not None
    assert (found.name, found.content_type) == ("clip.mp4", "video/mp4")


def test_an_animation_is_no_document() -> None:
    both = {
        "animation": Animation(
            "a", "u", 320, 180, timedelta(seconds=2), file_name="cat.mp4", mime_type="video/mp4"
        ),
        "document": Document("a", "u", file_name="cat.mp4", mime_type="video/mp4"),
    }
    found = attachment_of(message(**both))
    assert found is not None
    assert (found.kind, found.name, found.duration_s, found.width) == ("animation", "cat.mp4", 2.0, 320)


def test_a_video_note_is_as_high_as_wide() -> None:
    found = attachment_of(message(video_note=VideoNote("v", "u", 384, timedelta(seconds=5))))
    assert found is not None
    assert (found.name, found.width, found.height) == ("video_note_1.mp4", 384, 384)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (sticker(), "sticker_1.webp"),
        (sticker(is_video=True), "sticker_1.webm"),
        (sticker(is_animated=True), "sticker_1.tgs"),
    ],
)
def test_stickers_are_named_by_their_kind(given: Message, name: str) -> None:
    found = attachment_of(given)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("name", "content_type", "unusable"),
    [
        ("clip.mp4", "", None),
        ("C0001.MP4", "application/octet-stream", None),
        ("song.flac", "audio/flac", None),
        ("IMG_0001.HEIC", "image/heif", None),
        ("without_an_ending.bin", "application/octet-stream", None),
        ("backup.dat2", "", None),
        ("film.xyz", "video/x-never-heard-of", None),
        ("report.pdf", "video/mp4", None),
        ("notes.pdf", "application/pdf", "pdf"),
        ("notes.pdf", "application/octet-stream", "pdf"),
        ("archive.zip", "application/zip", "zip"),
        ("film.wmv", "video/x-ms-wmv", None),
    ],
)
def test_which_documents_are_refused_unopened(name: str, content_type: str, unusable: str | None) -> None:
    assert certainly_unusable(document(name, content_type)) == unusable


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd.mp4"),
        ("C:\\Users\\Ann\\My clip.MP4", "My clip.mp4"),
        ('a"b\r\nc.mov', "a_b_c.mov"),
        ("假期 视频.mp4", "假期 视频.mp4"),
        ("...", "file.mp4"),
        (".mp4", "mp4.mp4"),
        ("😀😀.mp4", "file.mp4"),
        ("🏖 beach 🏖.mov", "beach.mov"),
        ("clip.😀", "clip.mp4"),
        ("שלום \u202egpj.mp4", "שלום _gpj.mp4"),
        ("x" * 300 + ".mkv", "x" * 76 + ".mkv"),
        ("nmv_usr_tokenofmine.mov", "file.mov"),
        ("my nmv_usr_tokenofmine", "file.mp4"),
        ("7000000002:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0.png", "file.png"),
    ],
)
def test_names_keep_a_safe_form(given: str, name: str) -> None:
    assert safe_name(given, "mp4") == name


@pytest.mark.parametrize(
    "given", ["a" * 300, "." + "a" * 300, "a." + "b" * 300, "a" * 300 + ".mp4", "字" * 300 + ".é" * 90]
)
def test_no_name_is_longer_than_the_bound(given: str) -> None:
    assert len(safe_name(given, "mp4")) <= NAME_LENGTH
