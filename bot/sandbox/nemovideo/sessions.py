"""Sessions: projects with their uploads and drafts."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.sandbox.nemovideo import drafts
from bot.sandbox.nemovideo.drafts import Draft
from bot.sandbox.nemovideo.media import Upload


@dataclass(slots=True)
class Message:
    """A received message.

    Attributes:
        session_id: ID of the session.
        user_id: ID of the account.
        text: The text of all its parts, exactly as received.
        headers: The attribution headers and the client ID, in lower case.
        at: Time of its arrival.
        ended_at: Time of its turn's end; ``None`` while it runs.
        delivered: Whether the client read the stream to its end; ``None`` while it runs.
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
        id: The session's ID.
        task_id: The task's ID.
        user_id: ID of the account.
        language: ISO code of its language.
        created_at: Time of its creation.
        draft: The timeline, as the render call takes it.
        uploads: Its uploads by ID.
        unplaced: IDs of uploads that aren't on the timeline yet.
        generated: Clips that the agent generated, as the state shows them.
        paid: Whether the editing session was charged.
        earlier: Its timelines before the turns that changed it.
        introduced: Whether the agent has said what it is.
        claim_tokens: Tokens of links to take it over.
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
    earlier: list[Draft] = field(default_factory=list)
    introduced: bool = False
    claim_tokens: list[str] = field(default_factory=list)

    def take(self, uploads: list[Upload], *, wait: bool) -> None:
        """Add uploads; an empty timeline gets them as segments, one after the other, unless they have to wait."""
        empty = not drafts.is_ready(self.draft) and not wait
        for upload in uploads:
            self.uploads.append(upload)
            if empty:
                drafts.place(self.draft, upload.as_media())
            else:
                self.unplaced.append(upload.id)

    def find_upload(self, name: str) -> Upload | None:
        """Return the latest upload of this name, which from now on waits to be placed no more."""
        found = next((upload for upload in reversed(self.uploads) if upload.name == name), None)
        self.unplaced = [one for one in self.unplaced if found is None or one != found.id]
        return found

    def turn_to(self, about: str) -> None:
        """Let only the uploads that these words name wait, if they are on no track."""
        missing = [upload.id for upload in self.uploads_without_segment()]
        named = [upload.id for upload in self.uploads if upload.name in about]
        if named:
            self.unplaced = [one for one in named if one in missing]

    def take_unplaced(self) -> list[Upload]:
        """Return the uploads that aren't on the timeline yet, and mark them as placed."""
        waiting = [upload for upload in self.uploads if upload.id in self.unplaced]
        self.unplaced.clear()
        return waiting

    def uploads_without_segment(self) -> list[Upload]:
        """Return the uploads that are on no track."""
        shown = {segment.get("media_url") for track in self.draft["t"] for segment in track["sg"]}
        return [upload for upload in self.uploads if upload.as_media().url not in shown]

    def state(self) -> dict[str, Any]:
        """Return the agent's state, as the state call shows it."""
        meta = self.draft.get("m") or {}  # a script may have set anything
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
    """Create a session with an empty draft.

    Args:
        user_id: ID of the account.
        language: ISO code of its language.
        title: The project's name.
        at: The current time.
    """
    return Session(
        id=f"sess_{secrets.token_hex(10)}",
        task_id=f"task_{secrets.token_hex(8)}",
        user_id=user_id,
        language=language,
        created_at=at,
        draft=drafts.empty(title),
    )
