"""Encryption of tokens at rest, with keys that can be rotated."""

import base64
import contextlib
import hmac
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.store.errors import StoreError
from bot.store.files import OWNER_ONLY_FILE, ensure_data_directory, locked
from bot.store.keys import CIPHER_MARKER

KEY_FILE = "encryption.key"

_KEY_FILE_TIMEOUT_S = 10.0
_MAX_KEY_FILE_BYTES = 1024
_MARKER = "nemovideo-bot"
_NONCE_BYTES = 12
_FERNET_PREFIX = "gAAAA"  # of its version and the first bytes of any time of this century


class TokenCipherError(StoreError):
    """A key or an encrypted text can't be used; the message never contains either."""


class TokenCipher:
    """Encrypts and decrypts with a list of keys: the first encrypts, all decrypt.

    AES-GCM instead of Fernet saves 90 bytes a text; every chat with a guest account has one.

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
        self._fernets, self._ciphers = [], []
        for position, key in enumerate(keys, start=1):
            try:
                self._fernets.append(Fernet(key))
                self._ciphers.append(AESGCM(base64.urlsafe_b64decode(key)))
            except ValueError:
                raise TokenCipherError(
                    f"Encryption key {position} is malformed: it has to be 32 bytes in URL-safe base64"
                ) from None
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

    @classmethod
    async def of_store(cls, redis: Redis, keys: Sequence[SecretStr], data_dir: Path) -> "TokenCipher":
        """Create the cipher of a store as `open` does, and ensure that it decrypts what other processes encrypt.

        No key is made for a store that was written with one: a backup would save the wrong one.

        Raises:
            TokenCipherError: A key is malformed, missing, or another one than the store was written with.
            UnsafeFile: The directory or the key file can't be used, or belongs to another user.
        """
        if not keys and not (data_dir / KEY_FILE).exists() and await redis.exists(CIPHER_MARKER):
            raise TokenCipherError(
                f"The store was written with an encryption key, and {data_dir / KEY_FILE} is missing: restore it, or"
                " set ENCRYPTION_KEYS to it; if it is lost for good, see A lost key in deploy/README.md"
            )
        cipher = cls.open([key.get_secret_value() for key in keys], data_dir)
        await cipher.check(redis)
        return cipher

    def encrypt(self, plain: str, context: str) -> str:
        """Encrypt a text with the first key.

        Args:
            plain: The text.
            context: Where it will be kept, on one line; authenticated with it.
        """
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._ciphers[0].encrypt(nonce, plain.encode(), context.encode())
        return base64.urlsafe_b64encode(nonce + ciphertext).decode().rstrip("=")

    def decrypt(self, secret: str, context: str) -> str:
        """Decrypt a text that any of the keys encrypted.

        Args:
            secret: The encrypted text.
            context: Where it was kept.

        Raises:
            TokenCipherError: No key decrypts it, or it was encrypted for another place.
        """
        if secret.startswith(_FERNET_PREFIX):
            return self._decrypt_fernet(secret, context)
        with contextlib.suppress(ValueError):
            ciphertext = base64.urlsafe_b64decode(f"{secret}{'=' * (-len(secret) % 4)}")
            for cipher in self._ciphers:
                with contextlib.suppress(InvalidTag):
                    nonce, text = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
                    return cipher.decrypt(nonce, text, context.encode()).decode()
        raise TokenCipherError("No encryption key opens this text here")

    def _decrypt_fernet(self, secret: str, context: str) -> str:
        """Decrypt a text of the store's versions up to 3, which has its place in itself."""
        with contextlib.suppress(InvalidToken):
            of, _, plain = MultiFernet(self._fernets).decrypt(secret.encode()).decode().partition("\n")
            if of == context:
                return plain
        raise TokenCipherError("No encryption key opens this text here")

    def digest(self, text: str) -> str:
        """Return a keyed digest: without the first key the text can't be found, not even by trying all texts."""
        return hmac.digest(self._first_key, text.encode(), "sha256").hex()[:32]

    def rotate(self, secret: str, context: str) -> str:
        """Encrypt a text again with the first key, for the same place.

        Raises:
            TokenCipherError: No key decrypts it.
        """
        return self.encrypt(self.decrypt(secret, context), context)

    async def check(self, redis: Redis) -> None:
        """Ensure that this process can decrypt what the other processes on the store encrypt.

        Called at start: otherwise a wrong key would show only when the first token has to be decrypted.

        Raises:
            TokenCipherError: The store was written with another key.
        """
        await redis.set(CIPHER_MARKER, self.encrypt(_MARKER, CIPHER_MARKER), nx=True)
        marker = str(await redis.get(CIPHER_MARKER))
        try:
            renewed = self.rotate(marker, CIPHER_MARKER)
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
