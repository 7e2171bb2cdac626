import os
import threading
from pathlib import Path

import pytest

from bot.store.errors import StoreError, UnsafeFile
from bot.store.files import ensure_private_directory, locked, open_private_file, try_lock
from tests.clocks import PATIENCE_S


def test_a_directory_is_created_with_its_parents_for_the_owner_only(tmp_path: Path) -> None:
    path = ensure_private_directory(tmp_path / "a" / "b")
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_directory_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafeFile, match="not a directory of this user"):
        ensure_private_directory(tmp_path / "link")


def test_a_file_is_created_for_the_owner_only(tmp_path: Path) -> None:
    os.close(open_private_file(tmp_path / "file"))
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UnsafeFile, match="can't be opened"):
        open_private_file(tmp_path / "missing" / "file")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", 12345, 12345)
    with pytest.raises(UnsafeFile, match="another user"):
        open_private_file(tmp_path / "file")


@pytest.mark.parametrize(
    ("first", "second", "both"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_only_shared_locks_are_held_together(tmp_path: Path, first: bool, second: bool, both: bool) -> None:
    one, other = (open_private_file(tmp_path / "file") for _ in range(2))
    assert try_lock(one, shared=first)
    assert try_lock(other, shared=second) is both
    os.close(one)
    assert try_lock(other, shared=second)
    os.close(other)


def test_a_lock_is_waited_for_until_the_timeout(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with (
        locked(path, timeout_s=1),
        pytest.raises(StoreError, match="locked by another process"),
        locked(path, 0.01),
    ):
        pytest.fail("it is locked twice")

    entered = threading.Event()

    def wait_for_lock() -> None:
        with locked(path, timeout_s=PATIENCE_S):
            entered.set()

    waiting = threading.Thread(target=wait_for_lock)
    with locked(path, timeout_s=1):
        waiting.start()
        assert not entered.wait(0.05)
    assert entered.wait(PATIENCE_S)
    waiting.join()
