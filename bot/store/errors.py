"""What can be wrong with the store; each message is one line for the operator and never contains a password."""

from bot.runtime.terminal import EXIT_STORE, CommandError


class StoreError(CommandError):
    """The store can't be used."""

    exit_code = EXIT_STORE


class StoreUnreachable(StoreError):
    """The server does not answer, and may do so later."""


class UnsafeFile(StoreError):
    """A file or directory is not this user's alone."""
