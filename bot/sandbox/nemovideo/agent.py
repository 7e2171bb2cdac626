"""The agent: runs the parsed prompts of `prompts` on a session's draft and describes what it did."""

from dataclasses import dataclass
from typing import Any

from bot.sandbox.nemovideo import drafts
from bot.sandbox.nemovideo.drafts import Draft
from bot.sandbox.nemovideo.media import Media
from bot.sandbox.nemovideo.prompts import (
    AddClips,
    Background,
    Between,
    Generate,
    Music,
    Prompt,
    Remove,
    Speed,
    Title,
    Trim,
    Volume,
)
from bot.sandbox.nemovideo.sessions import Session

MUSIC_VOLUME = 0.35


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


def is_chinese(text: str, language: str) -> bool:
    """Return whether to answer in Chinese, by the words or else by the session's language."""
    if any("一" <= letter <= "鿿" for letter in text):
        return True
    return language.lower().startswith("zh") and not any(
        letter.isascii() and letter.isalpha() for letter in text
    )


def small_talk(session: Session, chinese: bool) -> str:
    """Return the answer to a message that asks for nothing."""
    if chinese:
        if session.uploads:
            return "你好！素材已经收到，想怎么剪辑？例如：剪到3秒，加标题“你好”，配上轻快的音乐。"
        return "你好！我可以帮你生成和剪辑视频。告诉我想要什么，或者上传一段视频。"
    if session.uploads:
        return (
            "Hi! I have your media. Tell me what to do with it, such as trimming it to 3 seconds, "
            'adding a title "Hello", or laying calm music under it.'
        )
    return "Hi! I can make and edit video. Tell me what you would like to see, or send me a clip to work on."


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
        case Title(text):
            drafts.add_title(draft, text)
            return AppliedPrompt(
                "add_text", {"text": text}, f'I added the title "{text}".', f"已添加标题“{text}”。"
            )
        case Music() if own_sound:
            return AppliedPrompt(
                "add_bgm", {"source": "upload"}, "I laid your sound under it.", "已配上你上传的声音。"
            )
        case Music(mood):
            drafts.add_music(draft, mood, MUSIC_VOLUME)
            return AppliedPrompt(
                "add_bgm",
                {"mood": mood},
                f"I laid {mood} music under it at 35%.",
                f"已配上{mood}音乐，音量35%。",
            )
        case Background(what):
            drafts.change_background(draft, what)
            return AppliedPrompt(
                "replace_background",
                {"prompt": what},
                f"I changed the background to {what}.",
                f"已把背景换成{what}。",
            )
        case Speed(factor):
            drafts.change_speed(draft, factor)
            return AppliedPrompt(
                "change_speed", {"factor": factor}, f"It plays at {factor:g}x now.", f"现在是{factor:g}倍速。"
            )
        case Volume(level):
            drafts.change_volume(draft, level)
            return AppliedPrompt(
                "set_volume", {"volume": level}, f"The volume is {level:.0%} now.", f"音量现在是{level:.0%}。"
            )
        case Remove(what):
            drafts.remove(draft, drafts.AUDIO if what == "music" else drafts.TEXT)
            name = "音乐" if what == "music" else "标题"
            return AppliedPrompt("remove_track", {"track": what}, f"I removed the {what}.", f"已去掉{name}。")
        case _:
            count = len(drafts.segments(draft, drafts.VIDEO))
            return AppliedPrompt(
                "add_clips",
                {"count": count},
                f"The timeline has {count} clips now.",
                f"时间线上现在有{count}个片段。",
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
        f"已生成{prompt.seconds:g}秒的视频：{prompt.prompt}。",
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
    # An edit must not leave an empty timeline.
    if end > start:
        drafts.keep(draft, start, end)
    args = {"start_ms": start, "end_ms": end}
    seconds_now = draft["d"] / 1000
    return AppliedPrompt(
        "trim",
        args,
        f"I trimmed it; it is {seconds_now:g} second{'s' * (seconds_now != 1)} long now.",
        f"已剪好，现在长{seconds_now:g}秒。",
    )


def _place_unplaced(session: Session, prompt: Prompt) -> bool:
    """Place newer uploads: clips are appended if asked to, otherwise they replace the timeline.

    Returns:
        Whether there was audio among them.
    """
    waiting = session.take_unplaced()
    if not isinstance(prompt, AddClips | Music) and any(upload.kind != "audio" for upload in waiting):
        drafts.keep(session.draft, 0, 0)
    for upload in waiting:
        drafts.place(session.draft, upload.as_media())
    return any(upload.kind == "audio" for upload in waiting)
