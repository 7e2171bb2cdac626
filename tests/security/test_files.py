"""What the bot keeps is its own user's alone; files of others are neither deleted, nor read, nor written through."""

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.chats.token_cipher import KEY_FILE, TokenCipher
from bot.commands.check_findings import Finding, Verdict
from bot.commands.check_store import check_disk
from bot.media.shrink import smaller_path
from bot.settings import Settings
from bot.store.errors import UnsafeFile
from bot.store.files import ensure_data_directory, open_beneath, open_private_file
from bot.store.server import EmbeddedServer
from bot.telegram.sending.result_files import LEFTOVER_AGE_S, discard_results, prepare_results, result_path

NOW_S = 2_000_000_000.0
JOB = "0123456789abcdef"
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root makes files of another user")


def old(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"video")
    os.utime(path, (NOW_S - LEFTOVER_AGE_S - 60,) * 2)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_start_deletes_only_results_of_the_bot_in_a_shared_directory(tmp_path: Path) -> None:
    shared = tmp_path / "videos"
    kept = [
        old(shared / name)
        for name in (
            "holiday.mp4",
            "nemovideo-holiday.mp4",
            f"nemovideo-{JOB}.mp4.bak",
            f"x-nemovideo-{JOB}.mp4",
        )
    ]
    kept.append(old(shared / "nemovideo" / f"nemovideo-{JOB}.mp4"))
    gone = [old(result_path(shared, JOB)), old(shared / f"nemovideo-{JOB}.{'ab' * 16}.part.mp4")]
    young = result_path(shared, JOB[::-1])
    young.write_bytes(b"video")
    os.utime(young, (NOW_S, NOW_S))
    directory_mode = mode(shared)

    prepare_results(tmp_path / "data", shared, NOW_S)

    assert all(path.exists() for path in [*kept, young])
    assert not any(path.exists() for path in gone)
    assert mode(shared) == directory_mode  # it is the operator's


def test_what_a_job_made_goes_with_it_and_nothing_else(tmp_path: Path) -> None:
    mine = result_path(tmp_path, JOB)
    made = [
        mine,
        result_path(tmp_path, JOB, 2),
        smaller_path(mine),
        smaller_path(result_path(tmp_path, JOB, 2)),
    ]
    kept = [result_path(tmp_path, JOB[::-1]), tmp_path / "holiday.mp4"]
    for path in (*made, *kept):
        path.write_bytes(b"video")
    discard_results(tmp_path, JOB)
    discard_results(tmp_path, JOB)
    assert sorted(tmp_path.iterdir()) == sorted(kept)


def test_a_link_among_the_results_deletes_nothing(tmp_path: Path) -> None:
    target = old(tmp_path / "mine" / "wedding.mp4")
    prepare_results(tmp_path / "data", None, NOW_S)
    link = result_path(tmp_path / "data" / "results", JOB)
    link.symlink_to(target)
    prepare_results(tmp_path / "data", None, NOW_S)
    assert target.exists()


def test_data_and_results_are_the_owners_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "results").mkdir(parents=True)
    data.chmod(0o755)
    (data / "results").chmod(0o777)
    prepare_results(data, None, NOW_S)
    assert (mode(data), mode(data / "results")) == (0o700, 0o700)


@as_root
@pytest.mark.parametrize(
    "use",
    [
        lambda data: prepare_results(data, None, NOW_S),
        lambda data: TokenCipher.open([], data),
        EmbeddedServer,
    ],
)
def test_a_data_directory_of_another_user_is_refused(tmp_path: Path, use: Callable[[Path], object]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o777)
    os.chown(data, 65534, 65534)
    with pytest.raises(UnsafeFile, match="not a directory of this user"):
        use(data)
    assert os.listdir(data) == []


def test_a_volume_of_a_container_is_roots_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    before = mode(data)
    if os.getuid() != 0:
        pytest.skip("only root makes root's directories")
    monkeypatch.setattr(os, "getuid", lambda: 101)
    assert ensure_data_directory(data) == data.resolve()
    assert mode(data) == before


def test_the_operators_link_to_the_data_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert ensure_data_directory(tmp_path / "data") == (tmp_path / "disk").resolve()


def test_the_key_is_never_written_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    data = ensure_data_directory(tmp_path / "data")
    (data / KEY_FILE).symlink_to(elsewhere)
    with pytest.raises(UnsafeFile, match="it is a link"):
        TokenCipher.open([], data)
    assert elsewhere.read_bytes() == b""


def test_the_key_has_one_name(tmp_path: Path) -> None:
    data = ensure_data_directory(tmp_path / "data")
    (tmp_path / "second").touch()
    os.link(tmp_path / "second", data / KEY_FILE)
    with pytest.raises(UnsafeFile, match="one name"):
        TokenCipher.open([], data)
    assert (tmp_path / "second").read_bytes() == b""


def test_a_fifo_for_a_key_does_not_stop_the_start(tmp_path: Path) -> None:
    data = ensure_data_directory(tmp_path / "data")
    os.mkfifo(data / KEY_FILE)
    failures: list[UnsafeFile] = []

    def start() -> None:
        with pytest.raises(UnsafeFile) as caught:
            open_private_file(data / KEY_FILE)
        failures.append(caught.value)

    thread = threading.Thread(target=start, daemon=True)
    thread.start()
    thread.join(10)
    assert failures


@pytest.mark.parametrize(
    "way", ["outside", "dots", "link", "linked directory", "fifo", "directory", "itself"]
)
def test_nothing_outside_of_the_servers_directory_is_read(tmp_path: Path, way: str) -> None:
    server, outside = tmp_path / "server", tmp_path / "outside"
    server.mkdir()
    outside.mkdir()
    secret = outside / "secret.txt"
    secret.write_text("110201543:secret")
    path = server / "file.txt"
    match way:
        case "outside":
            path = secret
        case "dots":
            path = server / ".." / "outside" / "secret.txt"
        case "link":
            path.symlink_to(secret)
        case "linked directory":
            (server / "videos").symlink_to(outside)
            path = server / "videos" / "secret.txt"
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path = server
    with pytest.raises(UnsafeFile):
        open_beneath(server, path)


def test_files_in_the_servers_directory_are_read_also_by_a_link_to_it(tmp_path: Path) -> None:
    file = tmp_path / "server" / "token" / "videos" / "file_0.mp4"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"video")
    (tmp_path / "link").symlink_to(tmp_path / "server")
    for directory, path in (
        (tmp_path / "server", file),
        (tmp_path / "link", tmp_path / "link" / "token" / "videos" / "file_0.mp4"),
        (tmp_path / "link", file),
    ):
        with open_beneath(directory, path) as opened:
            assert opened.read() == b"video"
    with pytest.raises(FileNotFoundError):
        open_beneath(tmp_path / "server", file.with_name("file_1.mp4"))


def test_check_names_what_other_users_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = ensure_data_directory(tmp_path / "data")
    settings = Settings(_env_file=None, data_dir=data)  # type: ignore[call-arg]

    def found() -> Finding:
        (finding,) = [one for one in check_disk(settings) if one.name == "disk: other users"]
        return finding

    assert found().verdict is Verdict.OK
    (tmp_path / ".env").touch(0o600)
    assert found().verdict is Verdict.OK
    (tmp_path / ".env").chmod(0o644)
    data.chmod(0o711)
    assert (found().verdict, found().advice) == (Verdict.WRONG, f"chmod go= {data} .env")
