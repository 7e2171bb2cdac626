"""Sessions: a project each, with what was uploaded to it and its draft."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.sandbox.nemovideo import drafts
from bot.sandbox.nemovideo.drafts import Draft
from bot.sandbox.nemovideo.media import Upload


@dataclass(slots=True)
class Message:
    """A text that came in, exactly as it was received.

    Attributes:
        session_id: To which session.
        user_id: From whose account.
        text: The words of all its parts.
        headers: The attribution headers and the client id, in lower case.
        at: When it came.
        ended_at: When its turn ended, ``None`` while it runs.
        delivered: Whether the client was there until the end of the stream, ``None`` while it runs.
    """

    session_id: str
    user_id: str
    text: str
    headers: dict[str, str]
    at: datetime
    ended_at: datetime | None = None
    delivered: bool | None = None


@dataclass(slots=True)
class Session:
    """A project.

    Attributes:
        id: What the API calls it.
        task_id: The project's other name.
        user_id: Whose it is.
        language: The ISO code it was made with.
        created_at: When it was made.
        draft: The timeline, as the render call takes it.
        uploads: What was uploaded to it.
        unplaced: Ids of uploads that the timeline has not seen.
        generated: What the agent made, as the state shows it.
        paid: Whether the editing session was charged.
        claim_tokens: Links that were made to take it over.
    """

    id: str
    task_id: str
    user_id: str
    language: str
    created_at: datetime
    draft: Draft
    uploads: list[Upload] = field(default_factory=list)
    unplaced: list[str] = field(default_factory=list)
    generated: list[dict[str, Any]] = field(default_factory=list)
    paid: bool = False
    claim_tokens: list[str] = field(default_factory=list)

    def take(self, uploads: list[Upload]) -> None:
        """Add files; an empty timeline gets them as segments, one after the other."""
        empty = not drafts.is_ready(self.draft)
        for upload in uploads:
            self.uploads.append(upload)
            if empty:
                drafts.place(self.draft, upload.as_media())
            else:
                self.unplaced.append(upload.id)

    def take_unplaced(self) -> list[Upload]:
        """The uploads that the timeline has not seen; they count as seen from now on."""
        waiting = [upload for upload in self.uploads if upload.id in self.unplaced]
        self.unplaced.clear()
        return waiting

    def state(self) -> dict[str, Any]:
        """The agent's state, as the state call shows it."""
        meta = self.draft.get("m") or {}  # a script may have put anything there
        return {
            "draft": self.draft,
            "video_infos": [upload.as_info() for upload in self.uploads],
            "canvas_config": {name: meta.get(name) for name in ("width", "height", "fps")},
            "generated_media": self.generated,
            "video_analyses": [
                {"hash": upload.sha256, "summary": f"{upload.kind}: {upload.name}"} for upload in self.uploads
            ],
        }


def new_session(user_id: str, language: str, title: str, at: datetime) -> Session:
    """Make a session with an empty draft.

    Args:
        user_id: Whose it is.
        language: An ISO code.
        title: The project's name.
        at: Now.
    """
    return Session(
        id=f"sess_{secrets.token_hex(10)}",
        task_id=f"task_{secrets.token_hex(8)}",
        user_id=user_id,
        language=language,
        created_at=at,
        draft=drafts.empty(title),
    )
