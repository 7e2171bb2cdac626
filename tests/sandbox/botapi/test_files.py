"""Where the Bot API's stand-in keeps files."""

from pathlib import Path

from bot.sandbox.botapi.files import FileStore, StoredFile


def test_files_that_are_taken_in_at_the_same_time_are_two(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files")
    other = tmp_path / "other.jpg"
    other.write_bytes(b"thumbnail")
    meanwhile: list[StoredFile] = []

    class Interrupted(type(tmp_path)):  # type: ignore[misc]
        """A path during whose renaming another thread takes a file in."""

        def rename(self, target: Path) -> Path:
            meanwhile.append(store.adopt(other, "thumbnail", "other.jpg"))
            return Path(self).rename(target)

    video = Interrupted(tmp_path / "video.mp4")
    video.write_bytes(b"video")
    stored = store.adopt(video, "video", "video.mp4")
    assert store.find(stored.file_id, 0).path.read_bytes() == b"video"
    assert store.find(meanwhile[0].file_id, 0).path.read_bytes() == b"thumbnail"
