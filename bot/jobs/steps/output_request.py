"""The resolution and format that a person asks for in an export: the service takes neither, but for MP4."""

import re
from collections.abc import Iterable

from bot.nemo.drafts import Draft

USUAL_HEIGHT = 1080  # of a result, where the draft has no size

_NAMED_HEIGHTS = {
    "2k": 1440,
    "4k": 2160,
    "8k": 4320,
    "fullhd": 1080,
    "fhd": 1080,
    "uhd": 2160,
    "ultrahd": 2160,
}
_LEAST_HEIGHTS = {"hd": 720, "高清": 720, "全高清": 1080, "超高清": 2160}
_OTHER = re.compile(r"m4v|mov|avi|webm|mkv|gif|mp3|wav|\d+(?:fps|帧)|h\.?265|hevc")


def unmet(output: Iterable[str], draft: Draft) -> tuple[str, ...]:
    """Return what an export of a draft won't be: resolutions other than its own, and formats other than MP4."""
    height = min(draft.width, draft.height) if draft.width and draft.height else USUAL_HEIGHT
    return tuple(one for one in output if not _is_met(one, int(height)))


def _is_met(one: str, height: int) -> bool:
    if one in _LEAST_HEIGHTS:
        return height >= _LEAST_HEIGHTS[one]
    if one in _NAMED_HEIGHTS:
        return height == _NAMED_HEIGHTS[one]
    if number := re.fullmatch(r"(?:\d{3,4}[x×*])?(\d{3,4})[pi]?", one):
        return height == int(number[1])
    return _OTHER.fullmatch(one) is None  # "best quality" is what is asked for anyway.
