"""A path of an own Bot API server that can't be opened."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.jobs.messages import LocalizedMessage
from bot.jobs.model import Attachment
from bot.jobs.ports import FilesUnreadable
from bot.jobs.refusal_messages import file_gone
from bot.store.errors import UnsafeFile
from bot.telegram.sending import downloads
from bot.telegram.sending.downloads import FileDownloads, directory_problem
from tests.telegram.conftest import Start, Telegram


@pytest.mark.parametrize(
    ("is_there", "reason", "check"),
    [
        (True, "EACCES", "can be read, and the file in it can't"),
        (False, "ENOENT", "is not there"),
        (True, "outside", "can be read, and the file in it can't"),
    ],
)
async def test_the_operator_learns_why_and_the_person_is_told_in_plain_words(
    start: Start, tmp_path: Path, monkeypatch: Any, is_there: bool, reason: str, check: str
) -> None:
    telegram = await start(local=True)
    ada = await telegram.people.person()
    await ada.start()
    await ada.send_file("video", await a_clip(tmp_path))
    directory = tmp_path / "server"
    if is_there:
        directory.mkdir()
    # As root may read everything, the kernel's answer has to be given for it.
    refused: Exception = UnsafeFile(reason)
    if reason != "outside":
        refused = OSError(getattr(errno, reason), os.strerror(getattr(errno, reason)))
    alerts: list[tuple[str, LocalizedMessage]] = []

    async def send_alert(name: str, message: LocalizedMessage) -> None:
        alerts.append((name, message))

    files = FileDownloads(
        telegram.telegram_calls,
        telegram.http,
        local=True,
        server_dir=directory,
        send_alert=send_alert,
    )
    file = Attachment((await newest_file(telegram)), "video", "clip.mp4", None, "")

    def open_(*_: object) -> None:
        raise refused

    async def read() -> None:
        async with files.open(1, file):
            pass

    with capture_logs() as logs:
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(downloads, "open_beneath", open_)
                with pytest.raises(FilesUnreadable) as caught:
                    await read()
    first, _ = [entry for entry in logs if entry["event"] == "downloads.unreadable"]
    assert (first["log_level"], first["errno"]) == ("error", reason)
    assert check in first["check"]
    assert telegram.bot.token not in str(first)
    assert {name for name, _ in alerts} == {"files_unreadable"}  # The alerts send each name once.
    assert reason in str(alerts[0][1].params["reason"])
    message = file_gone(telegram.job(ada.chat.id), caught.value)
    assert (message.key, len(message.buttons)) == ("error.files_unreadable", 1)


def test_a_directory_that_can_be_used_has_no_problem(tmp_path: Path) -> None:
    assert directory_problem(tmp_path) is None
    assert directory_problem(tmp_path / "missing") is not None


async def a_clip(directory: Path) -> Path:
    path = directory / "clip.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(100))
    return path


async def newest_file(telegram: Telegram) -> str:
    (update,) = [one for one in await telegram.bot.get_updates() if one.message and one.message.video]
    assert update.message is not None
    assert update.message.video is not None
    return update.message.video.file_id
