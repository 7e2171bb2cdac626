"""The stages of the agent's work, told by the names of its tools."""

from bot.jobs.queue.usual_times import Work
from bot.nemo import read

GENERATING = "progress.turn_tool_generate"

_STAGES = (
    (("music", "suno", "audio", "voice", "sound"), "progress.turn_tool_sound", Work.SOUND),
    (("understand", "analy"), "progress.turn_tool_look", Work.EDIT),
    (
        ("generate", "seedance", "create_video", "text_to_video", "t2v", "i2v"),
        GENERATING,
        Work.GENERATION,
    ),
    (
        ("edit", "trim", "cut", "track", "draft", "timeline", "title", "add", "set"),
        "progress.turn_tool_edit",
        Work.EDIT,
    ),
)
"""What the name of a tool contains, the stage that it stands for, and what is timed as such."""


def stage_of(tool: str) -> tuple[str, Work]:
    """Return the stage that a tool's name stands for, and what it is timed as."""
    name = tool.lower()
    for words, stage, work in _STAGES:
        if any(word in name for word in words):
            return stage, work
    return "progress.turn_tool_other", Work.EDIT


def has_succeeded(result: object) -> bool:
    """Return whether a tool's result is neither an error nor pending."""
    source = read.mapping(result)
    status = (read.text(source.get("status")) or "").lower()
    return not source.get("error") and status not in ("error", "failed", "failure", "pending", "processing")
