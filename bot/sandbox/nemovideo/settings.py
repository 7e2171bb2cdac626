"""What the stand-in does, and how fast: everything here can be changed while it runs."""

from dataclasses import dataclass, field
from typing import Literal

MB = 1_000_000


@dataclass(slots=True)
class Pace:
    """How long things take, in seconds of the stand-in's clock.

    Attributes:
        text_s: An answer without an edit.
        edit_s: An edit of the draft.
        generate_s: Generating a clip.
        render_s: A render takes at least this long; its progress follows. Encoding time when 0.
        upload_s: From the last byte of an upload to its answer.
        keepalive_s: Between two keep-alives of a message's stream.
    """

    text_s: float = 0.2
    edit_s: float = 0.5
    generate_s: float = 1.0
    render_s: float = 0.0
    upload_s: float = 0.0
    keepalive_s: float = 1.0


@dataclass(slots=True)
class Settings:
    """The switches of the contract's documented variants.

    Attributes:
        pace: How long things take.
        upload_limit_bytes: The largest file taken.
        anonymous_per_address: Anonymous tokens per address in seven days; ``None`` is no limit.
        anonymous_credits: What a new anonymous account has.
        anonymous_may_render: Without it an anonymous account's export answers 402.
        auth_status: HTTP status under which a bad token is refused: 401, or 200 for the code alone.
        auth_code: The code of a bad token: 1001, 1010 or 1011.
        session_missing: An unknown session of ``/run_sse`` as code 1002, or as ADK's 404.
        no_credits: Whether an empty account is told in the stream, or by an envelope instead of one.
        stream_shape: How the agent's events look.
        render_envelope: Render answers in a ``success`` envelope, under ``data`` with a code, or bare.
        render_link: The key of a finished render's link; without one only the download call works.
        render_fails: How many of the next renders fail; -1 is every one.
        render_error: What a failing render says.
        moov: Where the index of a rendered MP4 lies.
        render_bytes: A rendered MP4 is filled up to this size with bytes that players skip.
        media_origin: Where the links of finished renders lead; here when empty.
        media_missing: The link of a finished render answers 404, so that only the download call works.
    """

    pace: Pace = field(default_factory=Pace)
    upload_limit_bytes: int = 500 * MB
    anonymous_per_address: int | None = 10
    anonymous_credits: int = 100
    anonymous_may_render: bool = True
    auth_status: int = 401
    auth_code: int = 1001
    session_missing: Literal["code", "adk"] = "code"
    no_credits: Literal["stream", "body"] = "stream"
    stream_shape: Literal["adk", "adk_snake", "typed", "bare"] = "adk"
    render_envelope: Literal["success", "data", "top"] = "success"
    render_link: Literal["output.url", "outputUrl", "none"] = "output.url"
    render_fails: int = 0
    render_error: str = "Lambda function timed out"
    moov: Literal["front", "end"] = "front"
    render_bytes: int | None = None
    media_origin: str = ""
    media_missing: bool = False
