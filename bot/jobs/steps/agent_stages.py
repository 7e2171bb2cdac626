"""The stages of the agent's work, told by the names of its tools, and how long each usually takes."""

from bot.nemo import read

USUAL_EDIT_S = 30.0
USUAL_SOUND_S = 90.0
USUAL_GENERATION_S = 300.0
"""How long editing, generating sound and generating video usually take; moves the progress bar on."""

GENERATING = "progress.turn_tool_generate"

_STAGES = (
    (("music", "suno", "audio", "voice", "sound"), "progress.turn_tool_sound", USUAL_SOUND_S),
    (("understand", "analy"), "progress.turn_tool_look", USUAL_EDIT_S),
    (
        ("generate", "seedance", "create_video", "text_to_video", "t2v", "i2v"),
        GENERATING,
        USUAL_GENERATION_S,
    ),
    (
        ("edit", "trim", "cut", "track", "draft", "timeline", "title", "add", "set"),
        "progress.turn_tool_edit",
        USUAL_EDIT_S,
    ),
)
"""What the name of a tool contains, the stage that it stands for, and how long that usually takes."""


def stage_of(tool: str) -> tuple[str, float]:
    """Return the stage that a tool's name stands for, and how long it usually takes."""
    name = tool.lower()
    for words, stage, usual_s in _STAGES:
        if any(word in name for word in words):
            return stage, usual_s
    return "progress.turn_tool_other", USUAL_EDIT_S


def has_succeeded(result: object) -> bool:
    """Return whether a tool's result is neither an error nor pending."""
    source = read.mapping(result)
    status = (read.text(source.get("status")) or "").lower()
    return not source.get("error") and status not in ("error", "failed", "failure", "pending", "processing")
