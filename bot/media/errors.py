"""What can be wrong with a media file."""


class FileTypeUnsupported(Exception):
    """The file is of a kind that NemoVideo does not take, and that can't be converted.

    Args:
        name: The file's name.
        kind: What it is (``kinds.kind_of``); ``None`` if unknown.
    """

    def __init__(self, name: str, kind: str | None = None) -> None:
        super().__init__(name)
        self.kind = kind


class PictureTooLarge(Exception):
    """An image has too many pixels to be opened."""


class AudioTooLong(Exception):
    """Audio that has to be converted is too long for that."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"over {limit_s} s")
        self.limit_s = limit_s
