"""Tokens at rest: encrypted, with keys that can be changed."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from redis.asyncio import Redis

from bot.store.errors import StoreError
from bot.store.files import OWNER_ONLY_FILE, locked
from bot.store.keys import CIPHER_MARKER

KEY_FILE = "encryption.key"

_KEY_FILE_TIMEOUT_S = 10.0
_MAX_KEY_FILE_BYTES = 1024
_MARKER = b"nemovideo-bot"


class TokenCipherError(StoreError):
    """A key or an encrypted text that can't be used; the message never holds either."""


class TokenCipher:
    """Encrypts and decrypts with a list of keys: the first encrypts, all decrypt.

    To change keys, put the new one in front and drop the old one when nothing it encrypted is left.

    Args:
        keys: Fernet keys, 32 bytes in URL-safe base64 each, as ``Fernet.generate_key`` makes them.

    Raises:
        VaultError: There is none, or one is malformed.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise TokenCipherError("There is no encryption key")
        fernets = []
        for position, key in enumerate(keys, start=1):
            try:
                fernets.append(Fernet(key))
            except ValueError:
                raise TokenCipherError(
                    f"Encryption key {position} is malformed: it has to be 32 bytes in URL-safe base64"
                ) from None
        self._first = fernets[0]
        self._all = MultiFernet(fernets)

    @classmethod
    def open(cls, keys: Sequence[str], data_dir: Path) -> "TokenCipher":
        """Make a vault with the operator's keys or, without any, with the one kept in the data directory.

        Args:
            keys: From the settings; the newest first.
            data_dir: Where a key is made at the first start, and kept for its owner only.

        Raises:
            VaultError: A key is malformed.
            UnsafeFile: The key's file can't be used, or belongs to somebody else.
        """
        return cls(keys or [_kept_key(data_dir)])

    def encrypt(self, plain: str) -> str:
        """Encrypt a text with the first key."""
        return self._first.encrypt(plain.encode()).decode()

    def decrypt(self, secret: str) -> str:
        """Decrypt what any of the keys encrypted.

        Raises:
            VaultError: None of them did.
        """
        try:
            return self._all.decrypt(secret.encode()).decode()
        except InvalidToken:
            raise TokenCipherError("No encryption key opens this text") from None

    def rotate(self, secret: str) -> str:
        """Encrypt anew, with the first key, what any of the keys encrypted; raises as `decrypt` does."""
        return self.encrypt(self.decrypt(secret))

    async def check(self, redis: Redis) -> None:
        """Make sure that this process reads what others that share the store write.

        Call it at start: a process with a key of its own would find out when it has a token to read.

        Raises:
            VaultError: The store was written with another key.
        """
        await redis.set(CIPHER_MARKER, self.encrypt(_MARKER.decode()), nx=True)
        marker = str(await redis.get(CIPHER_MARKER))
        try:
            renewed = self.rotate(marker)
        except TokenCipherError:
            raise TokenCipherError(
                f"The store was written with another encryption key: set ENCRYPTION_KEYS to the same on every"
                f" machine that shares it, or bring back the file {KEY_FILE}"
            ) from None
        if not self._opens_with_first(marker):
            await redis.set(CIPHER_MARKER, renewed)

    def _opens_with_first(self, secret: str) -> bool:
        try:
            self._first.decrypt(secret.encode())
        except InvalidToken:
            return False
        return True


def _kept_key(data_dir: Path) -> str:
    """The key of the data directory, made at the first start."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = data_dir / KEY_FILE
    # The file is made empty and filled under its lock, so two processes that start at once end with one key.
    with locked(path, _KEY_FILE_TIMEOUT_S) as fd:
        if stat.S_IMODE(os.fstat(fd).st_mode) != OWNER_ONLY_FILE:
            os.fchmod(fd, OWNER_ONLY_FILE)
            structlog.get_logger().warning("vault.key_was_open", file=str(path))
        key = os.read(fd, _MAX_KEY_FILE_BYTES).decode(errors="replace").strip()
        if not key:
            key = Fernet.generate_key().decode()
            os.write(fd, f"{key}\n".encode())
            os.fsync(fd)
    return key
