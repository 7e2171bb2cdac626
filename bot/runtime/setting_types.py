"""The types of settings, each with what a value has to look like, and names that no setting has."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from cryptography.fernet import Fernet
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from bot.runtime.hosts import HostRule

_T = TypeVar("_T")

_SIMILARITY = 0.85
"""How similar (0 to 1) a name in the environment has to be to a setting's to count as a misspelling of it."""


def _validate_web_address(value: str) -> str:
    problem = "must be an address that begins with http:// or https://"
    try:
        parts = urlsplit(value)
    except ValueError:  # its message quotes the value
        raise ValueError(problem) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(problem)
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_validate_web_address)]


def _validate_bot_token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"\d+:[\w-]+", value.get_secret_value()):
        raise ValueError("must look like 123456789:AAE…, as @BotFather gives it")
    return value


def _validate_webhook_secret(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\w-]{16,256}", value.get_secret_value(), re.ASCII):
        raise ValueError("must be 16 to 256 letters, digits, _ and -: make one with: openssl rand -hex 32")
    return value


def _validate_listen_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:
        raise ValueError("must be a host and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080")
    return value


def _validate_redis_address(value: SecretStr) -> SecretStr:
    if not re.match(r"(rediss?(\+sentinel)?|unix)://", value.get_secret_value()):
        raise ValueError(
            "must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel:// or unix://"
        )
    return value


def _validate_host(value: str) -> str:
    try:
        HostRule.parse(value)
    except ValueError:
        raise ValueError("must be a host, such as cdn.example or *.example") from None
    return value


def _validate_encryption_key(value: SecretStr) -> SecretStr:
    try:
        Fernet(value.get_secret_value())
    except ValueError:
        raise ValueError("must be 32 bytes in URL-safe base64") from None
    return value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def revealed(secret: SecretStr | None) -> str | None:
    """Return the value of a setting that may not be set."""
    return secret.get_secret_value() if secret else None


def environment_proxy(url: str) -> str | None:
    """Return the proxy that ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name for a service."""
    parts, proxies = urlsplit(url), getproxies()
    if proxy_bypass(parts.hostname or ""):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def _validate_proxy_address(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        is_right = (
            parts.scheme in ("http", "https", "socks5", "socks5h") and parts.hostname and parts.port != 0
        )
    except ValueError:  # its message quotes the value
        is_right = False
    if not is_right:
        raise ValueError(
            "must be an address that begins with http://, https:// or socks5://, such as "
            "socks5://user:password@host:1080"
        )
    return value


BotToken = Annotated[SecretStr, AfterValidator(_validate_bot_token)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_validate_webhook_secret)]
Amount = Annotated[int, Field(ge=0, le=1_000_000)]  # of what a day allows
ListenAddress = Annotated[str, AfterValidator(_validate_listen_address)]
RedisAddress = Annotated[SecretStr, AfterValidator(_validate_redis_address)]
ProxyAddress = Annotated[SecretStr, AfterValidator(_validate_proxy_address)]
Host = Annotated[str, AfterValidator(_validate_host)]
EncryptionKey = Annotated[SecretStr, AfterValidator(_validate_encryption_key)]
CommaSeparated = Annotated[tuple[_T, ...], NoDecode, BeforeValidator(_split)]


def unknown_names(
    settings: Iterable[str],
    others: Iterable[str],
    env_file: Mapping[str, str | None],
    environment: Mapping[str, str],
) -> Iterator[str]:
    """Yield a line for each name that was meant for the bot and isn't known; a blank value counts as not set.

    A misspelt name would leave its default in force without a word.

    Args:
        settings: The bot's names, in upper case.
        others: Names that may stand there too.
        env_file: What the settings file says. Every name there is meant for the bot.
        environment: The environment. Only what looks like one of the bot's is.
    """
    names = sorted(settings)
    taken = {*names, *others}
    for name, value in env_file.items():
        if value and name.upper() not in taken:
            nearest = difflib.get_close_matches(name.upper(), names, n=1)
            yield f"{name}: no such setting" + (f"; did you mean {nearest[0]}?" if nearest else "")
    for name, value in environment.items():
        if value and name.upper() not in taken and name not in env_file:
            for nearest_name in difflib.get_close_matches(name.upper(), names, n=1, cutoff=_SIMILARITY):
                yield f"{name}: no such setting; did you mean {nearest_name}?"
