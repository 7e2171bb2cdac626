"""Pictures and other files that the agent sends within its answer."""

from __future__ import annotations

import hashlib

import structlog

from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.ports import MAX_SENT_BYTES, ChatGone
from bot.jobs.worker.attempt import Attempt
from bot.nemo.agent_file import AgentFile
from bot.nemo.client import NemoClient
from bot.nemo.errors import NemoError
from bot.projects.projects import Project
from bot.runtime.hosts import may_be_linked, with_host

log = structlog.get_logger(__name__)

MAX_FILES = 10  # of one turn; an agent that sends more than that repeats itself


class AgentFiles:
    """Sends the files of one turn, each once, while the stream goes on: it can't be read again."""

    def __init__(self, attempt: Attempt, nemo: NemoClient, project: Project, turn: int) -> None:
        self._attempt = attempt
        self._nemo = nemo
        self._project = project
        self._turn = turn
        self._seen: set[bytes] = set()

    @property
    def count(self) -> int:
        """How many files the agent sent so far."""
        return len(self._seen)

    async def send(self, file: AgentFile) -> None:
        """Send a file, or say where it is. A file that can't be sent ends nothing."""
        mark = hashlib.sha256(file.content or file.url.encode()).digest()
        if mark in self._seen or len(self._seen) >= MAX_FILES:
            return  # A server may send the same event in two forms.
        self._seen.add(mark)
        key = f"file.{self._turn}.{len(self._seen)}"
        try:
            content = file.content or await self._fetch(file.url)
            if 0 < len(content) <= MAX_SENT_BYTES:
                await self._attempt.responder.send_file(key, file.name, file.content_type, content)
            else:
                await self._send_link(key, file)
        except ChatGone:
            log.info("agent_files.chat_gone")  # The job goes on: it is paid for.

    async def _fetch(self, url: str) -> bytes:
        """Download a file; return no bytes if that fails, and more than the limit if it is too large."""
        content = bytearray()
        try:
            async with self._nemo.download_file(self._project.credentials, url) as download:
                async for chunk in download.chunks:
                    content += chunk
                    if len(content) > MAX_SENT_BYTES:
                        break
        except NemoError as error:
            log.warning("agent_files.not_fetched", error=str(error))
            return b""
        return bytes(content)

    async def _send_link(self, key: str, file: AgentFile) -> None:
        name = file.name or file.url.partition("?")[0].rpartition("/")[2] or "file"
        message = LocalizedMessage("answer.file_lost", {"name": name})
        if may_be_linked(file.url):
            button = Button("button.download", url=file.url)
            message = LocalizedMessage("answer.file_link", {"name": with_host(name, file.url)}, (button,))
        await self._attempt.responder.send(key, message)
