"""Drafts (`t` tracks, `tt` type, `sg` segments, `d` length in ms, `m` metadata) and edits of them."""

import secrets
from typing import Any, Literal, cast

from bot.sandbox.nemovideo.media import Media

VIDEO, AUDIO, OVERLAY, TEXT = 0, 1, 5, 7
STILL_MS = 3_000
TITLE_MS = 3_000
MAX_WIDTH, MAX_HEIGHT = 640, 360

Draft = dict[str, Any]
Segment = dict[str, Any]

Sound = Literal["everything", "music", "clips"]

_HEARD: dict[Sound, tuple[int, ...]] = {"everything": (VIDEO, AUDIO), "music": (AUDIO,), "clips": (VIDEO,)}
_TRACK_NAMES = {VIDEO: "Video", AUDIO: "Audio", OVERLAY: "Logo", TEXT: "Text"}


def empty(title: str) -> Draft:
    """Return a draft without tracks, with the canvas of new projects."""
    return {"t": [], "d": 0, "m": {"title": title, "width": MAX_WIDTH, "height": MAX_HEIGHT, "fps": 24}}


def is_ready(draft: Draft) -> bool:
    """Return whether some track has a segment."""
    return any(track.get("sg") for track in draft.get("t", []))


def segments(draft: Draft, track_type: int) -> list[Segment]:
    """Return all segments on tracks of a type, first track first."""
    return [segment for track in draft["t"] if track["tt"] == track_type for segment in track["sg"]]


def has_tracks(draft: Draft, tracks: str) -> bool:
    """Return whether a draft has just these tracks, given as lines with the names, times and volume of each."""
    lines = tracks.splitlines()
    return len(lines) == len(draft["t"]) and all(
        all(str(segment["name"]) in line for segment in track["sg"])
        and f"–{end_ms(track['sg'][-1]) / 1000:g} " in line
        and ("volume" not in track["sg"][0] or f"{track['sg'][0]['volume']:.0%}" in line)
        for track, line in zip(draft["t"], lines, strict=True)
    )


def place(draft: Draft, media: Media) -> Segment:
    """Append a video, an image or audio to its track; the first one decides the canvas.

    Args:
        draft: The draft to change.
        media: What to append.
    """
    track_type = AUDIO if media.kind == "audio" else VIDEO
    if track_type == VIDEO and not segments(draft, VIDEO):
        _fit_canvas(draft, media.width, media.height)
    track = _track(draft, track_type)
    start = max((end_ms(segment) for segment in track["sg"]), default=0)
    segment = _segment(
        media.name,
        start,
        round(media.duration_s * 1000) or STILL_MS,
        media_url=media.url,
        media_type=media.kind,
        source_start=0,
        speed=1.0,
        volume=1.0,
    )
    track["sg"].append(segment)
    measure(draft)
    return segment


def place_brand(draft: Draft, media: Media, part: Literal["logo", "intro", "outro"]) -> None:
    """Put an intro before everything else, an outro behind it, or a logo over all of it."""
    for track in draft["t"]:
        track["sg"] = [segment for segment in track["sg"] if segment["name"] != media.name]
    measure(draft)
    segment = place(draft, media)
    if part == "logo":
        track = _track(draft, VIDEO)
        track["sg"].remove(segment)
        measure(draft)
        segment |= {"start": 0, "duration": draft["d"]}
        _track(draft, OVERLAY)["sg"].append(segment)
    elif part == "intro":
        for other in (other for track in draft["t"] for other in track["sg"]):
            other["start"] += segment["duration"]
        segment["start"] = 0
        _track(draft, VIDEO)["sg"].sort(key=lambda one: one["start"])
    measure(draft)


def add_title(draft: Draft, text: str) -> Segment:
    """Add a title at the start, of three seconds or the draft's length."""
    length = min(TITLE_MS, draft["d"] or TITLE_MS)
    segment = _segment(text, 0, length, text=text, scale=1.0)
    _track(draft, TEXT)["sg"].append(segment)
    measure(draft)
    return segment


def change_title_size(draft: Draft, factor: float) -> int:
    """Scale the titles.

    Returns:
        The number of titles.
    """
    titles = segments(draft, TEXT)
    for title in titles:
        title["scale"] = round(title.get("scale", 1.0) * factor, 2)
    return len(titles)


def change_ratio(draft: Draft, width: int, height: int) -> None:
    """Give the canvas another shape; its longer side stays as long as it is."""
    meta = draft["m"]
    longer, scale = max(meta["width"], meta["height"]), max(width, height)
    # Both have to be even, because yuv420p halves them.
    meta["width"], meta["height"] = (max(2, round(longer * side / scale / 2) * 2) for side in (width, height))


def mood(draft: Draft) -> str | None:
    """Return the mood of the music, if there is some."""
    return next((segment["mood"] for segment in segments(draft, AUDIO) if segment.get("mood")), None)


def add_music(draft: Draft, mood: str, volume: float, seconds: float | None = None) -> Segment:
    """Add music under everything, instead of earlier music; never the piece that is there."""
    earlier = [segment.get("piece", 0) for segment in segments(draft, AUDIO) if segment.get("mood") == mood]
    remove(draft, AUDIO)
    piece = max(earlier, default=-1) + 1
    length = draft["d"] or round((seconds or 10) * 1000)
    name = f"{mood} BGM {piece + 1}" if piece else f"{mood} BGM"
    segment = _segment(name, 0, length, mood=mood, piece=piece, media_type="music", volume=volume)
    _track(draft, AUDIO)["sg"].append(segment)
    measure(draft)
    return segment


def remove(draft: Draft, track_type: int) -> int:
    """Remove all tracks of a type.

    Returns:
        The number of removed segments.
    """
    gone = len(segments(draft, track_type))
    draft["t"] = [track for track in draft["t"] if track["tt"] != track_type]
    measure(draft)
    return gone


def remove_others(draft: Draft) -> None:
    """Remove all tracks but those of video, audio and text."""
    draft["t"] = [track for track in draft["t"] if track["tt"] in _TRACK_NAMES]
    measure(draft)


def keep(draft: Draft, start: int, end: int) -> None:
    """Keep what is between two times in ms on every track, moved to the start."""
    for track in draft["t"]:
        kept = []
        for segment in track["sg"]:
            first, last = max(segment["start"], start), min(end_ms(segment), end)
            if last <= first:
                continue
            if "source_start" in segment:
                into = (first - segment["start"]) * segment["speed"]
                segment["source_start"] = round(segment["source_start"] + into)
            segment["start"], segment["duration"] = first - start, last - first
            kept.append(segment)
        track["sg"] = kept
    draft["t"] = [track for track in draft["t"] if track["sg"]]
    measure(draft)


def change_speed(draft: Draft, factor: float) -> None:
    """Play the clips, or else the audio, faster (above 1) or slower; audio under clips is cut or stretched to fit."""
    at, clips = 0, segments(draft, VIDEO)
    for segment in clips or segments(draft, AUDIO):
        segment["speed"] = round(segment.get("speed", 1.0) * factor, 3)
        segment["start"], segment["duration"] = at, round(segment["duration"] / factor)
        at = end_ms(segment)
    for segment in segments(draft, AUDIO) if clips else ():
        if segment.get("media_type") == "music" or end_ms(segment) > at:
            segment["duration"] = max(1, at - segment["start"])
    measure(draft)


def has_sound(draft: Draft, of: Sound) -> bool:
    """Return whether there are segments whose volume can be set."""
    return any(segments(draft, track_type) for track_type in _HEARD[of])


def change_volume(
    draft: Draft,
    volume: float,
    of: Sound = "everything",
    *,
    relative: bool = False,
) -> float:
    """Set the volume of some tracks.

    Args:
        draft: The draft to change.
        volume: The volume, 0 to 1 and above; with ``relative``, a factor of the present one.
        of: What to set it for.
        relative: Whether to multiply the present volume.

    Returns:
        The volume of the first segment now.
    """
    heard = [segment for track_type in _HEARD[of] for segment in segments(draft, track_type)]
    for segment in heard:
        segment["volume"] = round(segment["volume"] * volume if relative else volume, 3)
    return next((float(segment["volume"]) for segment in heard), volume)


def change_background(draft: Draft, background: str) -> None:
    """Replace the background of the clips."""
    for segment in segments(draft, VIDEO):
        segment["background"] = background
    draft["m"]["background"] = background


def measure(draft: Draft) -> None:
    """Set the draft's length from its segments."""
    draft["d"] = max((end_ms(segment) for track in draft["t"] for segment in track["sg"]), default=0)


def end_ms(segment: Segment) -> int:
    """Return where a segment ends, in ms."""
    return int(segment["start"] + segment["duration"])


def _segment(name: str, start: int, duration: int, **more: Any) -> Segment:
    return {"id": f"sg_{secrets.token_hex(4)}", "name": name, "start": start, "duration": duration, **more}


def _track(draft: Draft, track_type: int) -> dict[str, Any]:
    for track in draft["t"]:
        if track["tt"] == track_type:
            return cast(dict[str, Any], track)
    track = {"tt": track_type, "id": f"tr_{secrets.token_hex(4)}", "name": _TRACK_NAMES[track_type], "sg": []}
    draft["t"].append(track)
    return track


def _fit_canvas(draft: Draft, width: int, height: int) -> None:
    if not (width and height):
        return
    box = (MAX_WIDTH, MAX_HEIGHT) if width >= height else (MAX_HEIGHT, MAX_WIDTH)
    scale = min(box[0] / width, box[1] / height, 1.0)
    # Both have to be even, because yuv420p halves them.
    draft["m"]["width"], draft["m"]["height"] = (
        max(2, round(side * scale / 2) * 2) for side in (width, height)
    )
