"""Encryption of tokens at rest, with keys that can be rotated."""

import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from redis.asyncio import Redis

from bot.store.errors import StoreError
from bot.store.files import OWNER_ONLY_FILE, ensure_data_directory, locked
from bot.store.keys import CIPHER_MARKER

KEY_FILE = "encryption.key"

_KEY_FILE_TIMEOUT_S = 10.0
_MAX_KEY_FILE_BYTES = 1024
_MARKER = "nemovideo-bot"


class TokenCipherError(StoreError):
    """A key or an encrypted text can't be used; the message never contains either."""


class TokenCipher:
    """Encrypts and decrypts with a list of keys: the first encrypts, all decrypt.

    Each text is bound to its place, such as a chat's field: who can write to the store, but has no key, gains nothing
    by copying a text to a place of their own.

    To rotate keys, put the new one in front and drop the old one once nothing it encrypted is left.

    Args:
        keys: Fernet keys, each 32 bytes in URL-safe base64, as ``Fernet.generate_key`` returns.

    Raises:
        TokenCipherError: There is no key, or one is malformed.
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
        self._fernet = MultiFernet(fernets)
        self._first_key = keys[0].encode()

    @classmethod
    def open(cls, keys: Sequence[str], data_dir: Path) -> "TokenCipher":
        """Create a cipher with the operator's keys or, if there are none, with the one in the data directory.

        Args:
            keys: From the settings; the newest first.
            data_dir: Where a key file, readable by its owner only, is created at the first start.

        Raises:
            TokenCipherError: A key is malformed.
            UnsafeFile: The directory or the key file can't be used, or belongs to another user.
        """
        return cls(keys or [_ensure_key_file(data_dir)])

    @staticmethod
    async def require_key(redis: Redis, keys: Sequence[str], data_dir: Path) -> None:
        """Refuse to make a new key for a store that was written with one: a backup would save the wrong one.

        Raises:
            TokenCipherError: The key is missing.
        """
        if keys or (data_dir / KEY_FILE).exists() or not await redis.exists(CIPHER_MARKER):
            return
        raise TokenCipherError(
            f"The store was written with an encryption key, and {data_dir / KEY_FILE} is missing: bring it back, or set"
            " ENCRYPTION_KEYS to it; if it is lost for good, see A lost key in deploy/README.md"
        )

    def encrypt(self, plain: str, place: str) -> str:
        """Encrypt a text with the first key.

        Args:
            plain: The text.
            place: Where it will be kept, on one line.
        """
        return self._fernet.encrypt(f"{place}\n{plain}".encode()).decode()

    def decrypt(self, secret: str, place: str) -> str:
        """Decrypt a text that any of the keys encrypted.

        Args:
            secret: The encrypted text.
            place: Where it was kept.

        Raises:
            TokenCipherError: No key decrypts it, or it was encrypted for another place.
        """
        try:
            encrypted_for, _, plain = self._fernet.decrypt(secret.encode()).decode().partition("\n")
        except InvalidToken:
            raise TokenCipherError("No encryption key opens this text") from None
        if encrypted_for != place:
            raise TokenCipherError("This text was encrypted for another place")
        return plain

    def digest(self, text: str) -> str:
        """Return a digest that nobody without the first key can find the text to, however few texts there may be."""
        return hmac.digest(self._first_key, text.encode(), "sha256").hex()[:32]

    def rotate(self, secret: str) -> str:
        """Encrypt a text again with the first key, for the same place.

        Raises:
            TokenCipherError: No key decrypts it.
        """
        try:
            return self._fernet.rotate(secret.encode()).decode()
        except InvalidToken:
            raise TokenCipherError("No encryption key opens this text") from None

    async def check(self, redis: Redis) -> None:
        """Ensure that this process can decrypt what the other processes on the store encrypt.

        Called at start: otherwise a wrong key would show only when the first token has to be decrypted.

        Raises:
            TokenCipherError: The store was written with another key.
        """
        await redis.set(CIPHER_MARKER, self.encrypt(_MARKER, CIPHER_MARKER), nx=True)
        marker = str(await redis.get(CIPHER_MARKER))
        try:
            renewed = self.rotate(marker)
        except TokenCipherError:
            raise TokenCipherError(
                f"The store was written with another encryption key: set ENCRYPTION_KEYS to the same on every"
                f" machine that shares it, or bring back the file {KEY_FILE}"
            ) from None
        await redis.set(CIPHER_MARKER, renewed)


def _ensure_key_file(data_dir: Path) -> str:
    """Return the key in the data directory, created at the first start."""
    path = ensure_data_directory(data_dir) / KEY_FILE
    # The file is created empty and filled under its lock, so that processes starting at once agree on one key.
    with locked(path, _KEY_FILE_TIMEOUT_S) as fd:
        if stat.S_IMODE(os.fstat(fd).st_mode) != OWNER_ONLY_FILE:
            os.fchmod(fd, OWNER_ONLY_FILE)
            structlog.get_logger().warning("token_cipher.key_file_was_readable", file=str(path))
        key = os.read(fd, _MAX_KEY_FILE_BYTES).decode(errors="replace").strip()
        if not key:
            key = Fernet.generate_key().decode()
            os.write(fd, f"{key}\n".encode())
            os.fsync(fd)
    return key
