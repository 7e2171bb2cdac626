"""A plain httpx caller of the API, as a client that was never seen here could be."""

import json
import ssl
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

ATTRIBUTION = {"X-Skill-Source": "a-card", "X-Skill-Version": "1.0.0", "X-Skill-Platform": "unknown"}
SESSIONS = "/api/tasks/me/with-session/nemo_agent"
RENDER = "/api/render/proxy/lambda"


class Caller:
    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=url,
            headers={**ATTRIBUTION, "Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        self.session_id = ""
        self.task_id = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def open_session(self, language: str = "en") -> None:
        answer = await self.http.post(SESSIONS, json={"task_name": "project", "language": language})
        data = answer.json()["data"]
        self.session_id, self.task_id = data["session_id"], data["task_id"]

    def message(self, text: str, session_id: str | None = None) -> dict[str, Any]:
        return {
            "app_name": "nemo_agent",
            "user_id": "me",
            "session_id": session_id or self.session_id,
            "new_message": {"parts": [{"text": text}]},
        }

    async def say(self, text: str) -> list[Any]:
        """All values of a message's stream; keep-alives are left out."""
        answer = await self.http.post("/run_sse", json=self.message(text))
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
        return values(answer.text)

    async def say_raw(self, text: str) -> str:
        return (await self.http.post("/run_sse", json=self.message(text))).text

    async def upload(self, *paths: Path) -> dict[str, Any]:
        files = [("files", (path.name, path.read_bytes(), "application/octet-stream")) for path in paths]
        answer = await self.http.post(f"/api/upload-video/nemo_agent/me/{self.session_id}", files=files)
        value: dict[str, Any] = answer.json()
        return value

    async def state(self) -> dict[str, Any]:
        answer = await self.http.get(f"/api/state/nemo_agent/me/{self.session_id}/latest")
        state: dict[str, Any] = answer.json()["data"]["state"]
        return state

    async def credits(self) -> dict[str, int]:
        data: dict[str, int] = (await self.http.get("/api/credits/balance/simple")).json()["data"]
        return data

    async def start_render(self, render_id: str = "render_1", draft: Any = None) -> httpx.Response:
        body = {
            "id": render_id,
            "sessionId": self.session_id,
            "draft": draft if draft is not None else (await self.state())["draft"],
            "output": {"format": "mp4", "quality": "high"},
        }
        return await self.http.post(RENDER, json=body)

    async def render_status(self, render_id: str = "render_1") -> dict[str, Any]:
        value: dict[str, Any] = (await self.http.get(f"{RENDER}/{render_id}")).json()
        return value


def values(stream: str) -> list[Any]:
    found = []
    for line in stream.splitlines():
        data = line.removeprefix("data:").strip()
        if line.startswith("data:") and data not in ("", "heartbeat"):
            found.append(json.loads(data))
    return found


def texts(events: list[Any]) -> list[str]:
    """The words of the events that are not partial, thoughts left out."""
    return [
        part["text"]
        for event in events
        if not event.get("partial")
        for part in (event.get("content") or {}).get("parts", [])
        if part.get("text") and not part.get("thought")
    ]
