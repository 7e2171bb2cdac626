import pytest

from bot.media.kinds import (
    CONTENT_TYPES,
    CONVERTED,
    alternatives,
    category_of,
    claimed_kind,
    fitting_name,
    is_usable,
    kind_of,
    label_of,
)


@pytest.mark.parametrize(
    ("found", "name", "declared", "sent_as", "kind"),
    [
        ("mp4", "clip.mp4", "video/mp4", "video", "mp4"),
        ("mp4", "holiday.mov", "video/quicktime", "document", "mp4"),
        ("mov", "IMG_1.MOV", "video/quicktime", "document", "mov"),
        ("mp4", "song.mp4", "audio/mp4", "audio", "m4a"),
        ("mp4", "song.m4a", "", "document", "m4a"),
        ("mkv", "song.mka", "", "document", "mka"),
        ("webm", "clip.webm", "video/webm", "document", "webm"),
        ("ogg", "song.mp3", "audio/mpeg", "document", "ogg"),
        # Content that doesn't tell: the name, then the sender, then how it was sent.
        (None, "clip.mkv", "", "document", "mkv"),
        (None, "clip.bin", "video/mp4", "document", "mp4"),
        (None, "clip.bin", "video/x-never-heard-of", "document", "mp4"),
        (None, "clip", "application/octet-stream", "video", "mp4"),
        (None, "song.flac", "audio/mpeg", "audio", "flac"),
        (None, "x.bin", "application/octet-stream", "document", None),
        (None, "notes.pdf", "application/pdf", "document", "pdf"),
        # Content that is something else, whatever the name says.
        ("pdf", "clip.mp4", "video/mp4", "document", "pdf"),
        ("text", "clip.mp4", "video/mp4", "document", "text"),
        # What is packed in another kind.
        ("zip", "report.docx", "", "document", "office"),
        ("zip", "clip.mp4", "", "document", "zip"),
        ("tiff", "DSC_1.NEF", "", "document", "raw"),
        ("tiff", "scan.tif", "image/tiff", "document", "tiff"),
        ("asf", "talk.wma", "", "document", "wma"),
        ("asf", "film.wmv", "", "document", "wmv"),
    ],
)
def test_all_signs_tell_what_a_file_is(
    found: str | None, name: str, declared: str, sent_as: str, kind: str | None
) -> None:
    assert kind_of(found, name, declared, sent_as) == kind


def test_the_documented_kinds_are_taken_as_they_are() -> None:
    documented = ["mp4", "mov", "avi", "webm", "mkv", "jpg", "png", "gif", "webp", "mp3", "wav", "m4a", "aac"]
    assert list(CONTENT_TYPES) == documented
    assert not set(documented) & set(CONVERTED)
    for kind in documented:
        assert kind_of(None, f"a.{kind}", "", "document") == kind
        assert is_usable(kind)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mp3", "m4a", "wav", "jpg", "png", "heic", "wmv"])
def test_no_kind_is_to_be_saved_as_itself(kind: str) -> None:
    assert alternatives(kind)
    assert label_of(kind) not in alternatives(kind)


@pytest.mark.parametrize(
    ("kind", "category", "usable"),
    [
        ("mov", "video", True),
        ("heic", "image", True),
        ("amr", "audio", True),
        ("ts", "video", True),
        ("psd", "image", False),
        ("pdf", "document", False),
        (None, "other", False),
    ],
)
def test_categories(kind: str | None, category: str, usable: bool) -> None:
    assert (category_of(kind), is_usable(kind)) == (category, usable)


@pytest.mark.parametrize(
    ("name", "kind", "fitting"),
    [
        ("clip.mp4", "mp4", "clip.mp4"),
        ("C0001.MP4", "mp4", "C0001.MP4"),
        ("clip.m4v", "mp4", "clip.mp4"),
        ("voice.ogg", "m4a", "voice.m4a"),
        ("IMG_1.heic", "jpg", "IMG_1.jpg"),
        ("a.b", "png", "a.png"),
    ],
)
def test_the_ending_fits_the_content(name: str, kind: str, fitting: str) -> None:
    assert fitting_name(name, kind) == fitting


def test_a_declared_type_that_can_be_used_counts_more_than_a_name_that_can_not() -> None:
    assert claimed_kind("clip.pdf", "video/mp4", "document") == "mp4"
    assert claimed_kind("clip.mov", "application/pdf", "document") == "mov"
