"""Sections of a card's body that people read: tips, usual times, and what to know beyond them."""

import re
from dataclasses import dataclass
from typing import Final

from bot.skills.body import ABOUT_RESULTS, HEADING, card_lines, has_size, one_line, section_items
from bot.words import bounded

MAX_TIPS: Final = 3
_MAX_DETAILS_CHARS: Final = 3500  # of one message's 4096, with room for the card's name

_MAX_TIME_S: Final = 3600
_CHARS_BEFORE, _CHARS_BEHIND = 60, 12  # of a line around its times, that tell what those are about

_TIPS = re.compile(
    r"\btips?\b|提示|技巧|窍门|訣竅|竅門"
    r"|\bconsejos\b|\bdicas\b|\bastuces\b|\bconseils\b|\btipps\b|コツ|ヒント|팁|совет",
    re.IGNORECASE,
)
_DETAILS = re.compile(
    r"what to (?:describe|mention|say about)|practices?\b|performance|workflows?\b|ways to work|\bfaq\b|questions"
    r"|描述什么|实践|做法|性能|工作流|用法|常见问题|问答|實踐|常見問題|問答"
    r"|\bpreguntas\b|\bperguntas\b|foire aux|häufige fragen|よくある質問|자주 묻는|вопрос",
    re.IGNORECASE,
)
_UNIT_S: Final = {"s": 1, "m": 60, "秒": 1, "分": 60}
_UNIT = r"(s(?:ec(?:ond)?s?|egundos|ekunden)?|min(?:ut[eo]s?|uten|s)?|秒|分)"
_TIMES = re.compile(
    rf"(\d{{1,3}})(?:[\s-]?{_UNIT})?\s?(?:-|–|—|~|〜|～|to|and|a|bis|至|到)\s?(\d{{1,3}})[\s-]?{_UNIT}(?![a-z])",
    re.IGNORECASE,
)
_ABOUT_TIMES = re.compile(
    r"\btakes?\b|\busual|\bwait|\bprocess|\blater\b|\bready in\b|通常|需要|约需|等待|处理|耗时"
    r"|\btarda|\bdauert|かかり",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    lines: list[str]


def tips(body: str) -> tuple[str, ...]:
    """Return the first tips: the items of such a section, or its paragraphs. Limits are shown elsewhere."""
    for section in _sections(body):
        if _TIPS.search(section.heading):
            items = section_items(section.lines) or section.lines
            found = [one_line(tip) for tip in items if not has_size(tip)]
            return tuple(tip for tip in found if tip)[:MAX_TIPS]
    return ()


def details(body: str) -> str:
    """Return the sections with what to describe, good practice and questions, as Markdown."""
    shown = [
        f"**{one_line(section.heading)}**\n" + "\n".join(section.lines).strip()
        for section in _sections(body)
        if _DETAILS.search(section.heading) and any(section.lines)
    ]
    return bounded("\n\n".join(shown), _MAX_DETAILS_CHARS)


def usual_times_s(body: str) -> tuple[int, int] | None:
    """Return the shortest and the longest usual time of a request, in seconds; None if the body tells none."""
    for line in card_lines(body):
        times = _TIMES.search(line)
        if times is None:
            continue
        around = line[max(0, times.start() - _CHARS_BEFORE) : times.end() + _CHARS_BEHIND]
        if not _ABOUT_TIMES.search(around) or ABOUT_RESULTS.search(around):
            continue
        unit = times.group(4)
        shortest = int(times.group(1)) * _UNIT_S[(times.group(2) or unit)[0].lower()]
        longest = int(times.group(3)) * _UNIT_S[unit[0].lower()]
        if 0 < shortest <= longest <= _MAX_TIME_S:
            return shortest, longest
    return None


def _sections(body: str) -> list[_Section]:
    sections: list[_Section] = []
    for line in card_lines(body):
        if heading := HEADING.match(line):
            sections.append(_Section(heading.group(1).strip(), []))
        elif sections:
            sections[-1].lines.append(line)
    return sections
