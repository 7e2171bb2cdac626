"""The agent: runs the parsed prompts of `prompts` on a session's draft and describes what it did."""

import copy
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from bot.sandbox.nemovideo import drafts
from bot.sandbox.nemovideo.drafts import Draft
from bot.sandbox.nemovideo.media import Media
from bot.sandbox.nemovideo.prompts import (
    AddBrand,
    AddClips,
    Background,
    Between,
    Generate,
    Music,
    Prompt,
    Ratio,
    Remove,
    Speed,
    Title,
    TitleSize,
    Trim,
    Volume,
)
from bot.sandbox.nemovideo.sessions import Session

MUSIC_VOLUME = 0.35
_GREETING = re.compile(r"(?:\b(?:hi|hello|hey)\b|你好|您好|\W)*", re.IGNORECASE)
_DEFAULT_MOOD = "Lo-fi"
_MOODS_ZH = {
    "Lo-fi": "轻松",
    "Upbeat": "欢快",
    "Calm": "舒缓",
    "Epic": "史诗",
    "Sad": "伤感",
    "Jazz": "爵士",
    "Electronic": "电子",
}
_TRACKS_ZH = {
    "music": "音乐",
    "title": "标题",
    "other": "其他轨道",
    "clips": "画面原声",
    "everything": "整体",
}


@dataclass(frozen=True, slots=True)
class AppliedPrompt:
    """What was done for one prompt.

    Attributes:
        tool: The tool's name, as the stream shows it.
        args: The tool's arguments.
        said: The agent's sentence in English.
        said_zh: The same sentence in Chinese.
    """

    tool: str
    args: dict[str, Any]
    said: str
    said_zh: str


_BRAND_ZH = {"logo": "标志", "intro": "片头", "outro": "片尾"}


def is_chinese(text: str, language: str) -> bool:
    """Return whether to answer in Chinese, by the words or else by the session's language."""
    if any("一" <= letter <= "鿿" for letter in text):
        return True
    return language.lower().startswith("zh") and not any(
        letter.isascii() and letter.isalpha() for letter in text
    )


def small_talk(session: Session, text: str, chinese: bool) -> str:
    """Return the answer to a message that asks for nothing this agent knows; the first says what it is."""
    first, session.introduced = not session.introduced, True
    greets = first or _GREETING.fullmatch(text) is not None
    if chinese:
        begin = "你好！" if greets else "这个我在这里做不到。"
        media = "素材已经收到。" if session.uploads else "还没有素材，可以先发一段视频。"
        which = "我是 NemoVideo AI 剪辑师的替身，用来试玩；" if first else ""
        return f"{begin}{media}{which}我会剪短、拼接、加标题、配乐、调音量、变速、换背景、改画幅，也能生成新片段。"
    begin = "Hi!" if greets else "I can't do that here."
    media = (
        "I have your media."
        if session.uploads
        else "I can make and edit video. Send me a clip, or ask for a new one."
    )
    which = "I only stand in for NemoVideo's editor, so that you can try the bot. " if first else ""
    return (
        f"{begin} {media} {which}I can trim and join clips, add titles and music, set volume, speed, "
        "background and shape, and make new clips."
    )


def undo(session: Session) -> AppliedPrompt:
    """Put the draft back as it was before the last turn that changed it."""
    if session.earlier:
        session.draft = session.earlier.pop()
    return AppliedPrompt("undo", {}, "I took the last change back.", "已撤销上一步。")


def restore(session: Session, tracks: str) -> AppliedPrompt:
    """Put the newest earlier draft back that has these tracks."""
    for earlier in reversed(session.earlier):
        if drafts.has_tracks(earlier, tracks):
            session.draft = copy.deepcopy(earlier)
            return AppliedPrompt("restore", {}, "It is as it was before.", "已恢复成之前的样子。")
    return AppliedPrompt("restore", {}, "I don't have that version.", "没有找到那一版。")


def nothing_there(chinese: bool) -> str:
    """Return the answer to an edit of an empty timeline."""
    if chinese:
        return "时间线还是空的。请先上传一段视频，或者让我生成一段。"
    return "The timeline is empty so far. Send me a clip first, or ask me to generate one."


def carry_out(session: Session, prompt: Prompt, generated: Media | None = None) -> AppliedPrompt:
    """Change the draft as a prompt says.

    Args:
        session: The session with the draft.
        prompt: What to do.
        generated: The clip generated for a `Generate`.
    """
    draft = session.draft
    own_sound = not isinstance(prompt, Generate) and _place_unplaced(session, prompt)
    match prompt:
        case Generate() if generated is not None:
            return _generate(session, prompt, generated)
        case Trim() | Between():
            return _trim(draft, prompt)
        case Ratio(width, height):
            drafts.change_ratio(draft, width, height)
            return AppliedPrompt(
                "set_canvas",
                {"ratio": f"{width}:{height}"},
                f"The picture is {width}:{height} now.",
                f"画面现在是 {width}:{height}。",
            )
        case TitleSize(factor):
            return _title_size(draft, factor)
        case Title(text, end):
            text = text or f"{_fitting_title(draft)}{end}"
            drafts.add_title(draft, text)
            return AppliedPrompt(
                "add_text", {"text": text}, f'I added the title "{text}".', f"已添加标题“{text}”。"
            )
        case Music() if own_sound:
            return AppliedPrompt(
                "add_bgm", {"source": "upload"}, "I added your audio as music.", "已配上你上传的音频。"
            )
        case Music(mood, seconds):
            mood = mood or drafts.mood(draft) or _DEFAULT_MOOD
            drafts.add_music(draft, mood, MUSIC_VOLUME, seconds)
            return AppliedPrompt(
                "add_bgm",
                {"mood": mood},
                f"I added {mood.lower()} music at 35% volume.",
                f"已配上{_MOODS_ZH[mood]}的音乐，音量 35%。",
            )
        case Background(what):
            drafts.change_background(draft, what)
            said = ("I blurred the background.", "已虚化背景。")
            if what != "blur":
                said = (f"I changed the background to {what}.", f"已把背景换成{what}。")
            return AppliedPrompt("replace_background", {"prompt": what}, *said)
        case Speed(factor):
            drafts.change_speed(draft, factor)
            return AppliedPrompt(
                "change_speed", {"factor": factor}, f"It plays at {factor:g}x now.", f"现在是{factor:g}倍速。"
            )
        case Volume():
            return _volume(draft, prompt)
        case AddBrand():
            return _add_brand(session, prompt)
        case Remove("other"):
            drafts.remove_others(draft)
            return AppliedPrompt(
                "remove_track", {"track": "other"}, "I removed the other tracks.", "已去掉其他轨道。"
            )
        case Remove(what):
            drafts.remove(draft, drafts.AUDIO if what == "music" else drafts.TEXT)
            name = _TRACKS_ZH[what]
            return AppliedPrompt("remove_track", {"track": what}, f"I removed the {what}.", f"已去掉{name}。")
        case _:
            count = len(drafts.segments(draft, drafts.VIDEO))
            return AppliedPrompt(
                "add_clips",
                {"count": count},
                f"The timeline has {count} clip{'s' * (count != 1)} now.",
                f"时间线上现在有 {count} 个片段。",
            )


def _title_size(draft: Draft, factor: float) -> AppliedPrompt:
    changed = drafts.change_title_size(draft, factor)
    bigger = factor > 1
    if not changed:
        return AppliedPrompt("set_text", {}, "There is no title yet.", "还没有标题。")
    return AppliedPrompt(
        "set_text",
        {"scale": factor},
        f"The title is {'bigger' if bigger else 'smaller'} now.",
        f"标题已{'放大' if bigger else '缩小'}。",
    )


def _fitting_title(draft: Draft) -> str:
    """Return a title from the name of the first clip."""
    first = next(iter(drafts.segments(draft, drafts.VIDEO)), None)
    words = PurePath(str(first["name"])).stem.replace("_", " ").strip(" .,0123456789") if first else ""
    return words[:30].capitalize() or "My video"


def _volume(draft: Draft, prompt: Volume) -> AppliedPrompt:
    # Without the tracks that are meant, whatever is heard is meant.
    of = prompt.of if drafts.has_sound(draft, prompt.of) else "everything"
    level = drafts.change_volume(draft, prompt.level, of, relative=prompt.relative)
    what = "" if of == "everything" else f" of the {of}"
    return AppliedPrompt(
        "set_volume",
        {"volume": level, "of": of},
        f"The volume{what} is {level:.0%} now.",
        f"{_TRACKS_ZH[of]}音量现在是 {level:.0%}。",
    )


def _generate(session: Session, prompt: Generate, clip: Media) -> AppliedPrompt:
    drafts.place(session.draft, clip)
    session.generated.append(
        {
            "type": "video",
            "prompt": prompt.prompt,
            "url": clip.url,
            "duration": prompt.seconds,
            "status": "completed",
        }
    )
    return AppliedPrompt(
        "generate_video",
        {"prompt": prompt.prompt, "duration_s": prompt.seconds},
        f"I generated a {prompt.seconds:g}-second clip: {prompt.prompt}.",
        f"已生成 {prompt.seconds:g} 秒的视频：{prompt.prompt}。",
    )


def _trim(draft: Draft, prompt: Trim | Between) -> AppliedPrompt:
    length = int(draft["d"])
    match prompt:
        case Between(start_s, end_s):
            start, end = round(start_s * 1000), min(length, round(end_s * 1000))
        case Trim(None):
            start, end = 0, length // 2
        case Trim(seconds, side, removes):
            part = min(length, round((seconds or 0) * 1000))
            if removes:
                part = length - part
                side = "last" if side == "first" else "first"
            start, end = (0, part) if side == "first" else (length - part, length)
    if (start, end) == (0, length):
        seconds_now = length / 1000
        return AppliedPrompt(
            "trim",
            {"start_ms": 0, "end_ms": length},
            f"It is only {seconds_now:g} seconds long, so I left the length as it is.",
            f"全长只有 {seconds_now:g} 秒，长度保持不变。",
        )
    # An edit must not leave an empty timeline.
    if end > start:
        drafts.keep(draft, start, end)
    args = {"start_ms": start, "end_ms": end}
    seconds_now = draft["d"] / 1000
    return AppliedPrompt(
        "trim",
        args,
        f"I trimmed it; it is {seconds_now:g} second{'s' * (seconds_now != 1)} long now.",
        f"已剪好，现在长 {seconds_now:g} 秒。",
    )


def _add_brand(session: Session, prompt: AddBrand) -> AppliedPrompt:
    if (upload := session.find_upload(prompt.file)) is not None:
        drafts.place_brand(session.draft, upload.as_media(), prompt.part)
    said = (f"I added your {prompt.part}.", f"已加上你的{_BRAND_ZH[prompt.part]}。")
    return AppliedPrompt("add_brand", {"file": prompt.file}, *said)


def _place_unplaced(session: Session, prompt: Prompt) -> bool:
    """Place newer uploads: clips are appended if asked to, otherwise they replace the timeline.

    Returns:
        Whether there was audio among them.
    """
    waiting = session.take_unplaced()
    if isinstance(prompt, AddClips) and not waiting:
        waiting = session.uploads_without_segment()
    if not isinstance(prompt, AddClips | Music) and any(upload.kind != "audio" for upload in waiting):
        drafts.keep(session.draft, 0, 0)
    for upload in waiting:
        drafts.place(session.draft, upload.as_media())
    return any(upload.kind == "audio" for upload in waiting)
