"""What can be wrong with media."""


class FileTypeUnsupported(Exception):
    """The content is of a kind that NemoVideo does not take, whatever its name says."""


class AudioTooLong(Exception):
    """Sound that would have to be converted, and is too long for that.

    Args:
        limit_s: Seconds.
    """

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"over {limit_s} s")
        self.limit_s = limit_s
