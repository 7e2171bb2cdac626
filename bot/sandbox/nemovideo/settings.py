"""The stand-in's switches and speeds, which can be changed while it runs."""

from dataclasses import dataclass, field
from typing import Literal

MB = 1_000_000


@dataclass(slots=True)
class Pace:
    """How long things take, in seconds of the stand-in's clock.

    Attributes:
        text_s: Duration of an answer without an edit.
        edit_s: Duration of an edit of the draft.
        generate_s: Duration of generating a clip.
        render_s: Minimum duration of a render, which its progress follows; 0 for the encoding time.
        upload_s: Time from the last byte of an upload to its answer.
        keepalive_s: Interval of keep-alives in a message's stream.
    """

    text_s: float = 0.2
    edit_s: float = 0.5
    generate_s: float = 1.0
    render_s: float = 0.0
    upload_s: float = 0.0
    keepalive_s: float = 1.0


@dataclass(slots=True)
class Settings:
    """Switches for the documented variants of the API.

    Attributes:
        pace: How long things take.
        upload_limit_bytes: Maximum size of an upload.
        uploads_wait: Whether uploads stay off an empty timeline until a message asks for them.
        anonymous_per_address: Anonymous tokens per IP address in seven days; ``None`` for no limit.
        anonymous_credits: Credits of a new anonymous account.
        anonymous_may_render: Whether anonymous accounts may render; otherwise they get 402.
        auth_status: HTTP status for a bad token: 401, or 200 for the code alone.
        auth_code: Error code for a bad token: 1001, 1010 or 1011.
        session_missing: Answer to an unknown session at ``/run_sse``: code 1002, or ADK's 404.
        no_credits: Whether the refusal for too few credits comes in the stream, or as an envelope instead.
        stream_shape: Shape of the agent's events.
        render_envelope: Form of render answers: a ``success`` envelope, ``data`` with a code, or bare.
        render_link: Key of a finished render's link; without one, only the download call works.
        render_fails: Number of next renders that fail; -1 for all.
        render_error: Error message of failing renders.
        moov: Whether a rendered MP4 has its index at the front or the end.
        render_bytes: Size that rendered MP4s are padded to with bytes that players skip.
        media_origin: Origin of the links of finished renders; empty for this server.
        media_missing: Whether links of finished renders answer 404, so that only the download call works.
    """

    pace: Pace = field(default_factory=Pace)
    upload_limit_bytes: int = 500 * MB
    uploads_wait: bool = False
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
