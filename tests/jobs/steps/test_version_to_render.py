import pytest

from bot.jobs.steps.version_to_render import unmet_output_options
from bot.nemo.drafts import read_draft


@pytest.mark.parametrize(
    ("size", "output", "left"),
    [
        ((1920, 1080), ("1080p", "mp4", "highquality"), ()),
        ((1080, 1920), ("1080p", "hd", "高清", "fullhd", "1920x1080"), ()),
        ((1920, 1080), ("720p", "4k", "mov", "60fps"), ("720p", "4k", "mov", "60fps")),
        ((3840, 2160), ("4k", "uhd"), ()),
        ((640, 360), ("hd", "1080p"), ("hd", "1080p")),
        (None, ("1080p", "hd"), ()),
    ],
)
def test_only_what_the_export_will_not_be_is_told(
    size: tuple[int, int] | None, output: tuple[str, ...], left: tuple[str, ...]
) -> None:
    meta = {"width": size[0], "height": size[1]} if size else {}
    assert unmet_output_options(output, read_draft({"m": meta, "t": []})) == left
