import pytest

from bot.jobs.messages import Bytes, LocalizedMessage
from bot.jobs.model import Attachment, Variant
from bot.jobs.refusal_messages import telegram_refused
from bot.telegram.reading.file_refusals import FileRefusals
from tests.cards import built_in_cards

MB = 1024 * 1024
REFUSALS = FileRefusals(20 * MB, 500 * MB, 50 * MB)
CARD = built_in_cards().active(None)


def video(size: int | None, *variants: Variant) -> Attachment:
    return Attachment("original", "video", "trip.mov", size, "video/quicktime", variants=variants)


def variant(name: str, size_mb: float | None, height: int, codec: str = "h264") -> Variant:
    return Variant(name, None if size_mb is None else round(size_mb * MB), codec, height * 16 // 9, height)


@pytest.mark.parametrize(
    ("file", "file_id"),
    [
        pytest.param(video(12 * MB, variant("a", 4, 480)), "original", id="small enough"),
        pytest.param(video(60 * MB, variant("a", 4, 480), variant("b", 14, 720)), "b", id="the best"),
        pytest.param(
            video(60 * MB, variant("a", 14, 720), variant("b", 30, 1080)), "a", id="below the limit"
        ),
        pytest.param(
            video(60 * MB, variant("a", 14, 720), variant("b", 15, 1080, "av1")), "a", id="H.264 first"
        ),
        pytest.param(video(60 * MB, variant("a", 15, 1080, "av1")), "a", id="another codec than none"),
        pytest.param(video(60 * MB, variant("a", None, 480)), "original", id="of unknown size"),
        pytest.param(video(60 * MB), "original", id="none"),
        pytest.param(video(None, variant("a", 12, 720)), "a", id="when the original's size is unknown"),
    ],
)
def test_the_best_version_that_can_be_fetched(file: Attachment, file_id: str) -> None:
    fitting = REFUSALS.fitting(file, CARD)
    assert (fitting.file_id, fitting.variants) == (file_id, ())
    refusal = REFUSALS.why_refused(fitting, CARD)
    assert (refusal is None) is (file_id != "original" or file.size == 12 * MB)
    assert fitting.name == ("trip.mov" if file_id == "original" else "trip.mp4")


def test_a_file_of_unknown_size_may_be_usable_and_an_empty_one_is_not() -> None:
    assert REFUSALS.why_refused(video(None), CARD) is None
    refusal = REFUSALS.why_refused(video(0), CARD)
    assert refusal is not None
    assert refusal.key == "error.file_empty"


@pytest.mark.parametrize(("size", "is_said"), [(30 * MB, True), (12 * MB, False), (None, False)])
def test_a_size_that_telegram_contradicts_is_not_said(size: int | None, is_said: bool) -> None:
    shown = telegram_refused(size, 20 * MB).params["size"]
    assert shown == (
        Bytes(size or 0) if is_said else LocalizedMessage("size.more_than", {"size": Bytes(20 * MB)})
    )
