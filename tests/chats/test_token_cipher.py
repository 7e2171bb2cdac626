import asyncio
import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.chats.token_cipher import KEY_FILE, TokenCipher, TokenCipherError


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_what_is_encrypted_is_read_back_and_not_seen() -> None:
    token_cipher = TokenCipher([new_key()])
    secret = token_cipher.encrypt("nmv_usr_密", "here")
    assert "nmv_usr" not in secret
    assert token_cipher.decrypt(secret, "here") == "nmv_usr_密"


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = new_key(), new_key()
    secret = TokenCipher([old]).encrypt("t", "here")
    both = TokenCipher([new, old])
    assert both.decrypt(secret, "here") == "t"
    assert TokenCipher([new]).decrypt(both.rotate(secret, "here"), "here") == "t"
    with pytest.raises(TokenCipherError, match="No encryption key"):
        TokenCipher([new]).decrypt(secret, "here")


def test_a_text_is_read_nowhere_else() -> None:
    old, new = new_key(), new_key()
    secret = TokenCipher([old]).encrypt("t\nmore", "4711 own_token")
    rotated = TokenCipher([new, old]).rotate(secret, "4711 own_token")
    for one in (secret, rotated):
        assert TokenCipher([new, old]).decrypt(one, "4711 own_token") == "t\nmore"
        for place in ("4712 own_token", "4711 token", "4711", ""):
            with pytest.raises(TokenCipherError, match="No encryption key opens this text here"):
                TokenCipher([new, old]).decrypt(one, place)


def test_what_an_earlier_version_of_the_store_holds_is_read() -> None:
    key = new_key()
    secret = Fernet(key).encrypt(b"4711 own_token\nt\nmore").decode()
    both = TokenCipher([new_key(), key])
    assert both.decrypt(secret, "4711 own_token") == "t\nmore"
    assert (
        TokenCipher([key]).decrypt(TokenCipher([key]).rotate(secret, "4711 own_token"), "4711 own_token")
        == "t\nmore"
    )
    for cipher, place in ((both, "4712 own_token"), (TokenCipher([new_key()]), "4711 own_token")):
        with pytest.raises(TokenCipherError):
            cipher.decrypt(secret, place)


@pytest.mark.parametrize("damaged", ["", "gAAAAA", "密", "plain token"])
def test_what_was_not_encrypted_is_refused(damaged: str) -> None:
    with pytest.raises(TokenCipherError):
        TokenCipher([new_key()]).decrypt(damaged, "here")


def test_a_malformed_key_is_named_by_its_place_only() -> None:
    with pytest.raises(TokenCipherError, match="key 2 is malformed") as caught:
        TokenCipher([new_key(), "hunter2"])
    assert "hunter2" not in str(caught.value)


def test_a_cipher_needs_a_key() -> None:
    with pytest.raises(TokenCipherError, match="no encryption key"):
        TokenCipher([])


def test_the_kept_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    secret = TokenCipher.open([], data_dir).encrypt("t", "here")
    assert (data_dir / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert TokenCipher.open([], data_dir).decrypt(secret, "here") == "t"


def test_keys_of_the_settings_leave_the_data_directory_alone(tmp_path: Path) -> None:
    TokenCipher.open([new_key()], tmp_path)
    assert not list(tmp_path.iterdir())


def test_rights_of_the_kept_key_that_are_too_wide_are_taken_away(tmp_path: Path) -> None:
    secret = TokenCipher.open([], tmp_path).encrypt("t", "here")
    (tmp_path / KEY_FILE).chmod(0o644)
    assert TokenCipher.open([], tmp_path).decrypt(secret, "here") == "t"
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("half a k")
    with pytest.raises(TokenCipherError, match="malformed"):
        TokenCipher.open([], tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "half a k"


async def test_all_who_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    ciphers = await asyncio.gather(*(asyncio.to_thread(TokenCipher.open, [], tmp_path) for _ in range(8)))
    secret = ciphers[0].encrypt("t", "here")
    assert [token_cipher.decrypt(secret, "here") for token_cipher in ciphers] == ["t"] * 8


async def test_a_process_with_another_key_is_refused_at_start(redis: Redis) -> None:
    key = new_key()
    await TokenCipher([key]).check(redis)
    await TokenCipher([key]).check(redis)
    with pytest.raises(TokenCipherError, match="ENCRYPTION_KEYS"):
        await TokenCipher([new_key()]).check(redis)


async def test_keys_can_be_changed_one_after_the_other(redis: Redis) -> None:
    first, second = new_key(), new_key()
    await TokenCipher([first]).check(redis)
    await TokenCipher([second, first]).check(redis)
    await TokenCipher([second]).check(redis)
    with pytest.raises(TokenCipherError):
        await TokenCipher([first]).check(redis)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text(new_key())
    os.chown(tmp_path / KEY_FILE, 12345, 12345)
    with pytest.raises(Exception, match="belongs to another user"):
        TokenCipher.open([], tmp_path)


async def test_no_key_is_made_for_a_store_that_was_written_with_one(redis: Redis, tmp_path: Path) -> None:
    await TokenCipher.of_store(redis, [], tmp_path)  # an empty store
    await TokenCipher.of_store(redis, [], tmp_path)
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(TokenCipherError, match="is missing: restore it"):
        await TokenCipher.of_store(redis, [], tmp_path)
    assert not (tmp_path / KEY_FILE).exists()


def test_what_stands_for_a_person_is_found_with_the_key_alone() -> None:
    first, second = (Fernet.generate_key().decode() for _ in range(2))
    digests = [TokenCipher(keys).digest("person 5") for keys in ([first], [first, second], [second])]
    assert digests[0] == digests[1] != digests[2]
