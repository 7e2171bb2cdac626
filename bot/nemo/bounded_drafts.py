"""Drafts that are kept for a while: a large one is cut down to what a comparison shows of it."""

import json
from typing import Any

from bot.nemo.drafts import Draft, Segment, digest

MAX_KEPT_BYTES = 2 * 1024 * 1024
"""The largest draft that is kept as it was received."""


def bounded_draft(draft: Draft) -> Any:
    """Return a draft as JSON that :func:`bot.nemo.drafts.read_draft` reads, of at most ``MAX_KEPT_BYTES``.

    A larger one keeps names, times, texts, volumes and media of its segments, as many as fit, and of the rest of each a
    digest. It is for comparing and listing, and can't be rendered.
    """
    if _size(draft.raw) <= MAX_KEPT_BYTES:
        return draft.raw
    left = MAX_KEPT_BYTES - MAX_KEPT_BYTES // 4
    tracks: list[Any] = []
    for track in draft.tracks:
        known = {"tt": track.type_id, "name": track.name, "volume": track.volume, "id": track.track_id}
        segments: list[Any] = []
        left -= _size(known)
        for segment in map(_segment, track.segments):
            left -= _size(segment)
            if left < 0:
                break
            segments.append(segment)
        if left < 0 and not segments:
            break
        tracks.append({**known, "sg": segments})
    meta = {"title": draft.title, "width": draft.width, "height": draft.height}
    return {"t": tracks, "d": draft.duration_ms, "m": meta}


def _segment(segment: Segment) -> dict[str, Any]:
    known = {
        "name": segment.name if segment.named else None,
        "start_ms": segment.start_ms,
        "duration_ms": segment.duration_ms,
        "text": segment.text,
        "volume": segment.volume,
        "src": segment.media,
        "id": segment.segment_id,
        "raw": digest(segment.raw),
    }
    return {name: value for name, value in known.items() if value is not None}


def _size(value: Any) -> int:
    try:
        return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    except (ValueError, TypeError, RecursionError):  # nested too deep, or half a surrogate pair
        return MAX_KEPT_BYTES + 1
