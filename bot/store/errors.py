"""What can be wrong with the store.

Each message is one line for the operator, saying what is wrong and what to do, and never holds a password.

- `StoreError`: the root of them all.
    - `StoreUnreachable`: nothing answers at the address.
    - `StoreRefused`: the server answers and refuses: password, rights, or a mode that can't be used.
    - `StoreTooOld`: the server lacks commands that are needed.
    - `NoServerBinary`: no server to embed on this machine.
    - `ServerFailed`: the embedded server did not come up.
    - `UnsafeFile`: a file or directory that has to be ours alone is not.
    - `SchemaRefused`: the data was written by a release that this one can't follow.
"""


class StoreError(Exception):
    """Anything that keeps the store from being used."""


class StoreUnreachable(StoreError):
    """Nothing answers at the address of the store."""


class StoreRefused(StoreError):
    """The server answers, and refuses to be used."""


class StoreTooOld(StoreError):
    """The server lacks commands that are needed."""


class NoServerBinary(StoreError):
    """There is no server on this machine that could be embedded."""


class ServerFailed(StoreError):
    """The embedded server did not come up."""


class UnsafeFile(StoreError):
    """A file or directory that has to be ours alone is not."""


class SchemaRefused(StoreError):
    """The data was written by a release that this one can't follow."""
