"""What can be wrong with the store.

Each message is one line for the operator that says what is wrong and what to do, and never contains a password.

- `StoreError`: the base class.
    - `StoreUnreachable`: the server does not answer.
    - `StoreRefused`: the server refuses access: password, permissions, or a mode that can't be used.
    - `StoreTooOld`: the server lacks required commands.
    - `NoServerBinary`: this machine has no server that can be embedded.
    - `ServerFailed`: the embedded server did not start.
    - `UnsafeFile`: a file or directory is not this user's alone.
    - `SchemaRefused`: another release wrote the data.
"""

from bot.runtime.terminal import EXIT_STORE, CommandError


class StoreError(CommandError):
    """The store can't be used."""

    exit_code = EXIT_STORE


class StoreUnreachable(StoreError):
    """The server does not answer."""


class StoreRefused(StoreError):
    """The server refuses access."""


class StoreTooOld(StoreError):
    """The server lacks required commands."""


class NoServerBinary(StoreError):
    """This machine has no server that can be embedded."""


class ServerFailed(StoreError):
    """The embedded server did not start."""


class UnsafeFile(StoreError):
    """A file or directory is not this user's alone."""


class SchemaRefused(StoreError):
    """Another release wrote the data."""
