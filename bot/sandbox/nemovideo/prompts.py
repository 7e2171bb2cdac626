"""Parse prompts in English and Chinese by rules: `parse(text)` returns what to do, in order."""

import re
from dataclasses import dataclass, replace
from typing import Literal

_ENGLISH_DIGITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {
    **dict(zip(_ENGLISH_DIGITS, range(1, 11), strict=True)),
    **dict(zip("一二三四五六七八九十", range(1, 11), strict=True)),
    "两": 2,
}
# Without the look behind, "phones" would hold "one s".
_NUMBER = rf"((?<![a-z\d.])\d+(?:\.\d+)?|(?<![a-z])(?:{'|'.join(_DIGITS)}))"
_TIME = rf"{_NUMBER}\s*-?\s*(s\b|sec(?:ond)?s?\b|秒钟?|min(?:ute)?s?\b|分钟)"

_MOODS = {
    "Lo-fi": r"lo-?fi|chill|放松",
    "Upbeat": r"upbeat|happy|energetic|fun|funky|欢快|轻快|动感",
    "Calm": r"calm|soft|gentle|relax\w*|ambient|piano|平静|舒缓|钢琴|轻柔",
    "Epic": r"epic|cinematic|dramatic|heroic|史诗|电影感|震撼",
    "Sad": r"sad|melanchol\w+|emotional|悲伤|忧伤",
    "Jazz": r"jazz\w*|爵士",
    "Electronic": r"electronic|techno|edm|synth\w*|电子",
}
_MUSIC = r"(?:music|bgm|soundtrack|song|beat|score|(?:hip-hop|lo-?fi) loop|配乐|音乐)"
_TITLE = r"(?:titles?|captions?|subtitles?|headings?|text|标题|字幕|文字)"
_CLIP = (
    r"(?:clip|video|film|movie|animation|footage|time-?lapse|short|reel|视频|片段|短片|影片|动画|延时|画面)"
)
# What follows the subject of a generated clip and says how it looks or where it goes.
_ASIDE = r",? in the same style\b|,? and put it\b|[，,]\s*(?:风格|接在)"
_WHERE = r"(?:at|on|in|over|to|under|below|above)\b"
_QUOTED = r"[\"“”«「『'‘]([^\"“”»」』'’]+)[\"“”»」』'’]"
_UNDO = re.compile(
    r"(?:(?:actually|no|oh|sorry|wait|please|ok|i don't like (?:it|that)|请|还是|算了|不要?了?)[\s,.!，。！]*)*"
    r"(?:undo\b|(?:take|put|go|change) (?:it|that|this|everything)?\s*back\b|revert\b"
    r"|撤销|撤回|退回|恢复(?:到|成)?(?:上一|之前|原))",
    re.IGNORECASE,
)
_FIRST_UNDO = re.compile(
    r"\n\s*(?:before that, put the timeline back|在此之前，先把时间线恢复)", re.IGNORECASE
)
_RESTORE = re.compile(r"go back to an earlier version\b|把时间线恢复成之前的版本", re.IGNORECASE)
_BRAND = re.compile(
    r"[(（](?:The file |文件 ?)(\S+) ?(?:is my |是我的)(logo|intro|outro|标志|片头|片尾)[^)）]*[)）]",
    re.IGNORECASE,
)
_PARTS: dict[str, Literal["logo", "intro", "outro"]] = {"标志": "logo", "片头": "intro", "片尾": "outro"}
_RATIO = r"(?<!\d)(\d{1,2})\s*[:：x×比]\s*(\d{1,2})(?!\d)"
_REMOVE = r"(?:remove|strip|delete|drop|get rid of|without|\bno(?: more)?|去掉|删掉|删除|移除|去除|不要)"


@dataclass(frozen=True, slots=True)
class Generate:
    """Generate a clip of some seconds that shows some words."""

    prompt: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep or remove the first or last seconds; ``None`` means half of the draft."""

    seconds: float | None
    end: Literal["first", "last"] = "first"
    remove: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """Keep what is between two times in seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """Change the shape of the picture, such as 9 to 16."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Title:
    """Add a title; ``None`` leaves its words to the agent, ``end`` is what they end with then."""

    text: str | None
    end: str = ""


@dataclass(frozen=True, slots=True)
class TitleSize:
    """Change the size of the titles by a factor."""

    factor: float


@dataclass(frozen=True, slots=True)
class Music:
    """Add music.

    Attributes:
        mood: Its mood; ``None`` keeps the mood of the music that is there.
        seconds: Its length; ``None`` is the draft's length.
    """

    mood: str | None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Background:
    """Replace the background."""

    what: str


@dataclass(frozen=True, slots=True)
class Speed:
    """Change the speed by a factor."""

    factor: float


@dataclass(frozen=True, slots=True)
class Volume:
    """Set the volume.

    Attributes:
        level: 1 is the volume of the source; with ``relative``, a factor.
        of: What it is set for.
        relative: Whether the level multiplies the present volume.
    """

    level: float
    of: Literal["everything", "music", "clips"] = "everything"
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the tracks of a type; ``other`` is all but video, music and titles."""

    what: Literal["music", "title", "other"]


@dataclass(frozen=True, slots=True)
class AddClips:
    """Append the uploads."""


@dataclass(frozen=True, slots=True)
class AddBrand:
    """Put an uploaded file before or behind everything, or a logo over it."""

    file: str
    part: Literal["logo", "intro", "outro"]


@dataclass(frozen=True, slots=True)
class Undo:
    """Put the timeline back as it was before the last turn that changed it."""


@dataclass(frozen=True, slots=True)
class Restore:
    """Put the timeline back as it was when its tracks were these, a line for each."""

    tracks: str


Prompt = (
    Generate
    | Undo
    | Restore
    | Trim
    | Between
    | Ratio
    | Title
    | TitleSize
    | Music
    | Background
    | Speed
    | Volume
    | Remove
    | AddClips
    | AddBrand
)


def parse(text: str) -> list[Prompt]:
    """Parse what a text asks for.

    Args:
        text: The message's text.

    Returns:
        What to do, in order; empty if it asks for nothing.
    """
    if first := _FIRST_UNDO.search(text):
        return [Undo(), *parse(text[: first.start()])]
    if branded := _BRAND.findall(text):
        brand = [AddBrand(file, _PARTS.get(part, part.lower())) for file, part in branded]
        return [*parse(_BRAND.sub("", text)), *brand]
    words = " ".join(text.split())
    if _RESTORE.match(words):
        return [Restore(text.partition("\n")[2])]
    if _UNDO.match(words):
        return [Undo()]
    # Format and length of a clip, as the bot's buttons add them.
    chosen = _has(rf"[,，]\s*{_RATIO}[,，]\s*{_TIME}[.。]?$", words)
    generate = _generate(words[: chosen.start()] if chosen else words)
    shape = None
    if chosen and generate:
        generate = replace(generate, seconds=_seconds(chosen[3], chosen[4]))
        shape, words = Ratio(int(chosen[1]), int(chosen[2])), words[: chosen.start()]
    rest = words.replace(generate.prompt, " ") if generate else words
    found: list[Prompt | None] = [
        generate,
        None if generate else _add_clips(rest),
        None if generate else _trim(rest),
        shape if generate else _ratio(rest),
        _remove(rest),
        _speed(rest),
        _background(rest),
        _volume(rest),
        _title_size(rest) or _title(rest),
        _music(rest, with_is_enough=generate is not None),
    ]
    return [prompt for prompt in found if prompt is not None]


def mood_of(text: str) -> str:
    """Return the mood that a text names, or the default one."""
    return _named_mood(text) or "Lo-fi"


def _named_mood(text: str) -> str | None:
    return next((mood for mood, pattern in _MOODS.items() if _has(pattern, text)), None)


def _has(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(pattern, text, re.IGNORECASE)


def _seconds(number: str, unit: str) -> float:
    value = float(_DIGITS.get(number.lower(), number))
    return value * 60 if unit.lower().startswith("m") or unit.startswith("分") else value


def _generate(text: str) -> Generate | None:
    english = (
        r"(?:\b(?:make|generate|create|produce|give|render|want|need|like|have|do|get)\s+(?:me\s+)?|^)"
        rf"(?:an?\b|another\b|some\b|the\b|new\b|{_NUMBER}).*?\b{_CLIP}\b"
    )
    chinese = rf"(?:生成|制作|创建|做|来|拍|想要?|要|需要).*?(?:一个|一段|一条|一部|个|段|条|{_NUMBER}\s*秒).*?{_CLIP}"
    animate = r"\bmake this (?:picture|photo|image) move\b|让这张.{0,4}动起来"
    if not (_has(english, text) or _has(chinese, text) or _has(animate, text)) or _has(
        r"\bmake the\b|\b(?:of|in) the (?:clip|video)\b", text
    ):
        return None
    # A track for a video is music.
    if _has(rf"^\w+\s+(?:(?!{_CLIP}\b)\S+\s+)*?(?:{_MUSIC})\b(?!.{{0,4}}{_CLIP})", text):
        return None
    time = _has(_TIME, text)
    seconds = _seconds(time[1], time[2]) if time else 5.0
    subject = (
        _has(
            rf"{_CLIP}\s+(?:of|about|showing|with|where|in which)\s+(.+?)"
            rf"(?:,?\s+(?:and|with|plus)\s+(?:an?\s+|some\s+)?[\w-]*\s*(?:{_MUSIC}|{_TITLE})\b.*)?[.!]?$",
            text,
        )
        or _has(r"(?:关于|展示)(.+?)的", text)
        or _has(rf"秒钟?的?((?!的).+?)(?:的)?{_CLIP}", text)
        or _has(rf"(?:{_CLIP}|{animate})[^：:]{{0,20}}[：:]\s*(.+)$", text)
        or _has(rf"(?:生成|制作)(?:一个|一段|一条)?([^，,]+?)的{_CLIP}", text)
    )
    bare = re.sub(r"^我?(?:想要?|要|需要)(?:一[个段条部])?", "", text)
    words = (subject[1] if subject else bare).strip(" ,.!，。！：:")
    words = re.sub(rf"[,，]\s*{_TIME}$", "", words, flags=re.IGNORECASE)
    return Generate(re.split(_ASIDE, words, flags=re.IGNORECASE)[0], min(seconds, 60.0))


def _add_clips(text: str) -> AddClips | None:
    english = (
        r"\b(?:add|append|merge|join|combine|include|insert|use)\b.*"
        r"\b(?:clips?|videos?|photos?|pictures?|images?|files?|them|it)\b"
    )
    chinese = (
        r"(?:合并|拼接|连接|加上|加入|添加|使用).*(?:视频|片段|照片|图片|文件|它们)|(?:视频|片段).*合起来"
    )
    if _has(rf"\b(?:to|in|into|from|of) (?:the|my|this) (?:clip|video)|{_MUSIC}|{_TITLE}", text):
        return None
    return AddClips() if _has(english, text) or _has(chinese, text) else None


def _trim(text: str) -> Trim | Between | None:
    english = r"\b(?:trim|cut|shorten|crop|keep|remove|delete|drop|make it|only)"
    chinese = r"[剪裁截删]|保留|缩短|短[一些]|去掉|只[要留]"
    if not _has(rf"{english}|{chinese}", text) or _has(r"\bmiddle\b|中间", text):
        return None
    between = _has(
        rf"(?:from|between|从|第)?\s*{_NUMBER}\s*(?:s|sec\w*|秒)?\s*(?:to|and|-|–|到|至)\s*{_TIME}", text
    )
    if between:
        return Between(_seconds(between[1], "s"), _seconds(between[2], between[3]))
    edge = _has(rf"(first|last|final|开头|前|最后|末尾|后)\s*(?:的)?\s*{_TIME}", text)
    if edge:
        end: Literal["first", "last"] = "first" if edge[1].lower() in {"first", "前", "开头"} else "last"
        keeps = _has(r"\bkeep|保留|\bto the (?:first|last)|\bonly", text)
        return Trim(_seconds(edge[2], edge[3]), end, remove=not keeps)
    time = _has(_TIME, text)
    if time:
        return Trim(_seconds(time[1], time[2]))
    return Trim(None) if _has(r"\bshort|缩短|短一", text) else None


def _ratio(text: str) -> Ratio | None:
    named = _has(_RATIO, text)
    if named and int(named[1]) and int(named[2]):
        return Ratio(int(named[1]), int(named[2]))
    shapes = {
        (9, 16): r"\b(?:vertical|portrait|upright)\b|竖屏|竖版|竖着",
        (16, 9): r"\b(?:horizontal|landscape|widescreen)\b|横屏|横版",
        (1, 1): r"\bsquare\b|方形|正方",
    }
    shape = next((shape for shape, pattern in shapes.items() if _has(pattern, text)), None)
    changes = _has(r"\b(?:make|turn|change|crop|convert|switch|set|into|format)\b|改|变|转|换|裁|做", text)
    return Ratio(*shape) if shape and changes else None


def _title_size(text: str) -> TitleSize | None:
    if not _has(_TITLE, text):
        return None
    if _has(r"\b(?:bigger|larger|enlarge)\b|放大|大一点|大些|更大", text):
        return TitleSize(1.4)
    return TitleSize(0.7) if _has(r"\b(?:smaller|shrink)\b|缩小|小一点|小些|更小", text) else None


def _title(text: str) -> Title | None:
    if not _has(
        rf"\b(?:{_TITLE}|the words?|write)\b|标题|字幕|(?<!我的)文字|加上?.{{0,8}}字|写上",
        text.replace("my text", ""),
    ) or _removed(text):
        return None
    words = (
        _has(_QUOTED, text)
        or _has(rf"{_TITLE}\s*(?:that says|saying|with the words|reading|called|[:：])\s*(.+)$", text)
        or _has(r"(?:标题|字幕|文字|字(?!幕)|写上?)(?:为|是|写着|叫|[:：])?\s*([^，,]+)$", text)
        or _has(
            rf"\b(?:the words?|text|write)\s+(?!{_WHERE})(.+?)(?:\s+{_WHERE}\s.*)?$",
            text,
        )
    )
    if words:
        return Title(words[1].strip(" .!。！") or None)
    return Title(
        None, end="?" if _has(r"question|提问", text) else "!" if _has(r"playful|俏皮", text) else ""
    )


def _music(text: str, *, with_is_enough: bool) -> Music | None:
    verbs = r"add|adding|put|lay|make|generate|create|compose|match|want|need|give|find|use|change|replace"
    if with_is_enough:
        verbs += "|with|and"
    chinese = "加|配|来|添|换|生成|做|制作|要|带"
    if not _has(_MUSIC, text) or _removed(text) or _volume(text):
        return None
    if _has(rf"\b(?:{verbs})\b.*{_MUSIC}|(?:{chinese}).*{_MUSIC}|{_MUSIC}[,，]?\s*(?:please)?$", text):
        time = None if with_is_enough else _has(_TIME, text)
        same = _has(r"\b(?:same|other|another|different)\b|相同|同样|另|换一", text)
        mood = _named_mood(text) if same else mood_of(text)
        return Music(mood, _seconds(time[1], time[2]) if time else None)
    return None


def _remove(text: str) -> Remove | None:
    what = _removed(text)
    return Remove(what) if what else None


def _removed(text: str) -> Literal["music", "title", "other"] | None:
    gap = r"\s*(?:the\s+|all\s+|this\s+|any\s+|background\s+|背景|所有)*"
    if _has(rf"{_REMOVE}.*\b(?:except|but)\b|{_REMOVE}.*(?:以外|之外)|\b(?:keep|leave) only\b|只保留", text):
        return "other"
    if _has(rf"{_REMOVE}{gap}{_MUSIC}", text):
        return "music"
    return "title" if _has(rf"{_REMOVE}{gap}{_TITLE}", text) else None


def _background(text: str) -> Background | None:
    if not _has(r"background(?!\s*(?:music|song|track|score))|backdrop|背景(?!音乐)", text):
        return None
    what = (
        _has(r"(?:background|backdrop)\b.*?\b(?:to|with|into|by|as)\s+(?:an?\s+|the\s+)?(.+?)[.!]?$", text)
        or _has(r"\bmake the (?:background|backdrop)\s+(.+?)[.!]?$", text)
        or _has(r"背景(?:换|改|变|替换)?(?:成|为|到)\s*(.+?)[。！]?$", text)
    )
    changes = _has(r"change|replace|swap|set|make|put|remove|blur|换|改|变|替换|去|虚化", text)
    if what:
        return Background(what[1].strip())
    return Background("blur" if _has(r"blur|虚化", text) else "plain") if changes else None


def _speed(text: str) -> Speed | None:
    times = _has(r"(\d+(?:\.\d+)?)\s*(?:x\b|×|times\b|倍)", text)
    if _has(r"slow|慢", text):
        return Speed(
            1 / float(times[1]) if times and float(times[1]) > 1 else float(times[1]) if times else 0.5
        )
    if times and float(times[1]):
        return Speed(float(times[1]))
    return Speed(2.0) if _has(r"\bfaster\b|speed (?:it )?up|加速|快一点|快点|加快", text) else None


def _volume(text: str) -> Volume | None:
    if _has(rf"\bmute\b|静音|{_REMOVE}\s*(?:the\s+|all\s+)?(?:sound\b|audio\b|声音)", text):
        return Volume(0.0)
    if not _has(r"volume|loud|quiet|softer|音量|声音[大小]|大声|小声", text):
        return None
    of: Literal["everything", "music", "clips"] = "everything"
    if _has(_MUSIC, text):
        of = "music"
    elif _has(_CLIP, text):
        of = "clips"
    percent = _has(r"(\d+)\s*[%％]", text)
    if percent:
        return Volume(min(int(percent[1]), 200) / 100, of)
    down = _has(r"quiet|soft|lower|down|小|低", text)
    if _has(r"a (?:little|bit)|slightly|一点|一些|稍", text):
        return Volume(0.7 if down else 1.4, of, relative=True)
    return Volume(0.3 if down else 1.5, of)
