"""Scripts: what the stand-in does with the next message, instead of (or around) its own agent.

A script is a list of steps, JSON objects with one key each, run in order:

    {"raw": "data: …"}         send this text as it is
    {"raw_base64": "…"}        send these bytes
    {"json": …}                send one SSE event with this value
    {"text": "…"}              send a text in the current shape, see `Settings.stream_shape`
    {"thought": "…"}           send an ADK thought
    {"tool": {name, args, result}}
    {"ask": {title, questions}}        call `ask_question`: each question has id, prompt, options and allow_multiple
    {"confirm": {tool, hint}}          ask for ADK's confirmation of a tool; without a hint with ADK's own
    {"file": {name, content_base64, link}}   send a file in the event, or with `link: true` by its URL; a picture may
                                             come without content and is painted then
    {"error_event": {code, message}}   send an ADK event with `errorCode`
    {"shape": "typed"}         set the shape of what follows
    {"agent": true}            let the rule-based agent answer the message
    {"edit": "…"}              let the agent run this prompt, charge for it, and say nothing
    {"extra": "…"}             the same without a charge
    {"draft": {…}}             replace the draft
    {"wait_s": 3}              wait in silence
    {"keepalive_s": 30}        send keep-alives alone for so long; null means forever
    {"hold": "name"}           wait until the control API releases it
    {"cut": true}              close the connection; the steps after it still run

The functions here build the usual scripts. Work that outlives a broken stream comes after `cut`.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from bot.sandbox.nemovideo.stream import Shape

STEPS = frozenset(
    {
        "raw",
        "raw_base64",
        "json",
        "text",
        "thought",
        "tool",
        "ask",
        "confirm",
        "file",
        "error_event",
        "shape",
        "agent",
        "edit",
        "extra",
        "draft",
        "wait_s",
        "keepalive_s",
        "hold",
        "cut",
    }
)

Step = dict[str, Any]
Script = list[Step]

TEMPORARY_ISSUE = "I encountered a temporary issue. Please try again in a moment."


def check(steps: Script) -> None:
    """Check that every step is known.

    Raises:
        ValueError: A step is unknown.
    """
    for step in steps:
        if len(step) != 1 or not STEPS.issuperset(step):
            raise ValueError(f"not a step: {step!r}")


def raw(*chunks: str | bytes, delay_s: float = 0.0) -> Script:
    """Send exactly these chunks, with a pause before each."""
    steps: Script = []
    for chunk in chunks:
        if delay_s:
            steps.append({"wait_s": delay_s})
        if isinstance(chunk, bytes):
            steps.append({"raw_base64": base64.b64encode(chunk).decode()})
        else:
            steps.append({"raw": chunk})
    return steps


def say(*texts: str, shape: Shape = "adk") -> Script:
    """Send a text without an edit."""
    return [{"shape": shape}, *({"text": text} for text in texts)]


def shaped(shape: Shape) -> Script:
    """Send the agent's own answer with its events in a shape."""
    return [{"shape": shape}, {"agent": True}]


def silent_edit(prompt: str) -> Script:
    """Edit the draft as a prompt says, and end the stream without a text."""
    return [{"edit": prompt}]


def two_stages(prompt: str, extras: Sequence[str] = ("add calm music", 'add a title "My video"')) -> Script:
    """Answer a prompt for a clip, then add music and a title that nobody asked for."""
    return [
        {"edit": prompt},
        {"tool": {"name": "generate_video", "args": {"prompt": prompt}, "result": {"status": "ok"}}},
        {"text": "Your raw video is ready."},
        *({"extra": extra} for extra in extras),
        {"text": "I also added background music and a title to make it more engaging."},
    ]


def screen_talk(language: str = "en", prompt: str | None = None) -> Script:
    """Answer as to somebody with a screen: buttons, panels, dragging, the Export button, billing."""
    texts = {
        "en": (
            "The clip has a calmer ending now. Click [Apply] to confirm. Open the Music panel to pick "
            "another song. Drag the title to the top track. Preview it in the timeline. "
            "Click the Export button to download your video. Check your account billing page for credits."
        ),
        "zh": (
            "结尾现在更平静了。点击[应用]确认。打开音乐面板选择其他歌曲。把标题拖拽到最上面的轨道。"
            "在时间线中预览。点击导出按钮下载视频。请在账户页面查看积分和账单。"
        ),
    }
    return [
        *([{"edit": prompt}] if prompt else []),
        {"text": texts["zh" if language.startswith("zh") else "en"]},
    ]


def ask(
    prompts: Sequence[str] = ("Which look?",),
    options: Sequence[str] = ("Cinematic", "Cartoon"),
    title: str = "",
    *,
    multiple: bool = False,
    shape: Shape = "adk",
) -> Script:
    """Ask questions at the end of the turn, each with the same options; without options they are open ones."""
    listed = [{"id": f"o{number}", "label": label} for number, label in enumerate(options, 1)]
    questions = [
        {"id": f"q{number}", "prompt": prompt, "options": listed, "allow_multiple": multiple}
        for number, prompt in enumerate(prompts, 1)
    ]
    return [{"shape": shape}, {"ask": {"title": title, "questions": questions}}]


def confirm(tool: str = "generate_video", hint: str = "") -> Script:
    """Ask for a confirmation of a tool, as ADK does."""
    return [{"confirm": {"tool": tool, "hint": hint}}]


def trailing_issue() -> Script:
    """Send a normal answer, then a text about a failure that didn't happen."""
    return [{"agent": True}, {"text": TEMPORARY_ISSUE}]


def coded_error(code: int, message: str = "refused") -> Script:
    """Send an envelope with an error code inside of the stream."""
    return [{"json": {"code": code, "message": message, "data": None}}]


def agent_failure(text: str = "before error", message: str = "RuntimeError: scripted failure 中文") -> Script:
    """Send some text, then ``{"error": …}``, as an ADK server does when its agent raises."""
    details = {"error_type": "RuntimeError", "error_message": message}
    return [{"text": text}, {"json": {"error": message, "error_details": details}}]


def typed_error(message: str = "something went wrong") -> Script:
    """Send a typed error event."""
    return [{"json": {"type": "error", "message": message}}]


def blocked(code: str = "SAFETY", message: str = "blocked") -> Script:
    """Send an ADK event with ``errorCode`` and ``errorMessage``."""
    return [{"error_event": {"code": code, "message": message}}]


def keepalives(seconds: float | None = None, then: Script | None = None) -> Script:
    """Send keep-alives alone, for some seconds or forever."""
    return [{"keepalive_s": seconds}, *(then or [])]


def silence(seconds: float, then: Script | None = None) -> Script:
    """Send nothing for some seconds, then run a script or the agent."""
    return [{"wait_s": seconds}, *(then if then is not None else [{"agent": True}])]


def cut_before_work() -> Script:
    """Close the connection without any effect of the message."""
    return [{"thought": "Let me think"}, {"cut": True}]


def cut_after_work(prompt: str) -> Script:
    """Do the work, then close the connection without a text."""
    return [{"thought": "Let me think"}, {"edit": prompt}, {"cut": True}]


def cut_then_work(prompt: str, after_s: float) -> Script:
    """Close the connection and do the work some seconds later."""
    return [{"thought": "Let me think"}, {"cut": True}, {"wait_s": after_s}, {"edit": prompt}]


def hold_after_work(prompt: str, name: str) -> Script:
    """Do the work, send a text, then hold the stream until the hold is released."""
    return [{"edit": prompt}, {"text": "Working on it"}, {"hold": name}, {"text": "Done."}]


NAMED: dict[str, Callable[..., Script]] = {
    "agent_failure": agent_failure,
    "ask": ask,
    "blocked": blocked,
    "coded_error": coded_error,
    "confirm": confirm,
    "cut_after_work": cut_after_work,
    "cut_before_work": cut_before_work,
    "cut_then_work": cut_then_work,
    "hold_after_work": hold_after_work,
    "keepalives": keepalives,
    "screen_talk": screen_talk,
    "shaped": shaped,
    "silence": silence,
    "silent_edit": silent_edit,
    "trailing_issue": trailing_issue,
    "two_stages": two_stages,
    "typed_error": typed_error,
}
"""Scripts by name, for the control API: ``{"script": "silence", "args": {"seconds": 5}}``."""
