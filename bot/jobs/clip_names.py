"""Names of clips and tracks as people would say them: a file that came without a name is "photo 1" or "your video"."""

import re
from collections import defaultdict
from collections.abc import Mapping

from bot.jobs.messages import LocalizedMessage, Names
from bot.nemo.drafts import Draft, Segment, Track, TrackKind

# How ``telegram/reading/attachments.py`` names files that have no name: by their kind and their message.
_WITHOUT_NAME = re.compile(
    r"(?P<kind>(live_)?photo|video(_note)?|animation|audio|voice|sticker|document)_(?P<number>\d{1,12})(\.\w{1,5})?"
)
_MAX_NAMES = 3  # of a track that are named

_KINDS = {
    "photo": "photo", "live_photo": "video", "video": "video", "video_note": "video", "animation": "video",
    "audio": "audio", "voice": "audio",
}  # fmt: skip

_TRACKS = {
    TrackKind.VIDEO: "track.video",
    TrackKind.AUDIO: "track.audio",
    TrackKind.TEXT: "track.text",
    TrackKind.OTHER: "track.other",
}

_SOUNDS = {
    "track.voice": re.compile(
        r"(?<![a-z])(voice|narrat|speech|record)|旁白|配音|录音|人声|语音|解说", re.IGNORECASE
    ),
    "track.music": re.compile(r"music|soundtrack|(?<![a-z])(bgm|song)|音乐|配乐|歌", re.IGNORECASE),
}

ClipNames = Mapping[str, LocalizedMessage]
"""What people call files, by the names that the draft has for them."""


def clip_names(*drafts: Draft | None) -> ClipNames:
    """Name the files that came without a name, in the order in which they came.

    Args:
        drafts: All drafts that one message is about, so that a file has one name in it.
    """
    found: dict[str, dict[tuple[int, str], str]] = defaultdict(dict)
    for draft in drafts:
        for track in draft.tracks if draft else ():
            for segment in track.segments:
                if segment.named and (match := _WITHOUT_NAME.fullmatch(segment.name)):
                    kind = _KINDS.get(match["kind"], "file")
                    found[kind][int(match["number"]), segment.name] = segment.name
    return {
        name: LocalizedMessage(f"clip.{kind}", {"n": n})
        if len(names) > 1
        else LocalizedMessage(f"clip.your_{kind}")
        for kind, names in found.items()
        for n, (_, name) in enumerate(sorted(names.items()), 1)
    }


def clip_name(segment: Segment, names: ClipNames) -> str | LocalizedMessage:
    """Name a clip; one of a title is its text."""
    if segment.text:
        return segment.text
    if segment.named:
        return names.get(segment.name, segment.name)
    return LocalizedMessage("track.unnamed", {"position": segment.name.rpartition(" ")[2]})


def track_label(track: Track) -> LocalizedMessage:
    """Name a track by its kind, and one of audio by what its clips' names, or else its own, say that it is."""
    if track.kind is TrackKind.AUDIO:
        clips = " ".join(one.name for one in track.segments if one.named)
        for said in (clips, f"{track.name} {track.type_id}"):
            found = [label for label, pattern in _SOUNDS.items() if pattern.search(said)]
            if len(found) == 1:
                return LocalizedMessage(found[0])
    return LocalizedMessage(_TRACKS[track.kind])


def is_voice(track: Track) -> bool:
    """Return whether a track's names say that a person speaks in it."""
    return track_label(track).key == "track.voice"


def names_of(track: Track, names: ClipNames) -> Names:
    """Name the first clips of a track."""
    shown = track.segments[:_MAX_NAMES]
    return Names(tuple(clip_name(one, names) for one in shown), are_all=len(shown) == len(track.segments))
