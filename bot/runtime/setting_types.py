"""The types of settings, each with what a value has to look like."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr


def _web_address(value: str) -> str:
    problem = "must be an address that begins with http:// or https://"
    try:
        parts = urlsplit(value)
    except ValueError:  # its message quotes the value
        raise ValueError(problem) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(problem)
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]


def _bot_token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"\d+:[\w-]+", value.get_secret_value()):
        raise ValueError("must look like 123456789:AAE…, as @BotFather gives it")
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\w-]{16,256}", value.get_secret_value(), re.ASCII):
        raise ValueError("must be 16 to 256 letters, digits, _ and -: make one with: openssl rand -hex 32")
    return value


def _listen_address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:
        raise ValueError("must be a host and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080")
    return value


def _redis_address(value: SecretStr) -> SecretStr:
    if not re.match(r"(rediss?(\+sentinel)?|unix)://", value.get_secret_value()):
        raise ValueError(
            "must begin with redis://, rediss://, redis+sentinel://, rediss+sentinel:// or unix://"
        )
    return value


BotToken = Annotated[SecretStr, AfterValidator(_bot_token)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
Amount = Annotated[int, Field(ge=0, le=1_000_000)]  # of what a day allows
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
RedisAddress = Annotated[SecretStr, AfterValidator(_redis_address)]
