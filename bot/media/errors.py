"""What can be wrong with a media file.

- `FileTypeUnsupported`: the content is of a type that NemoVideo does not take.
- `AudioTooLong`: audio that has to be converted is too long for that.
"""


class FileTypeUnsupported(Exception):
    """The content is of a type that NemoVideo does not take, whatever its name says."""


class AudioTooLong(Exception):
    """Audio that has to be converted is too long for that."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"over {limit_s} s")
        self.limit_s = limit_s
