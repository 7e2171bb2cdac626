"""The checks of Redis, the encryption key and the disk."""

import asyncio
import ipaddress
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from bot.chats.token_cipher import KEY_FILE, TokenCipher, TokenCipherError
from bot.commands.check_findings import Finding, ok, skipped, wrong
from bot.runtime.hosts import is_public_host
from bot.settings import ENV_FILE, MEBIBYTE, Settings
from bot.store import keys
from bot.store.errors import StoreError
from bot.store.schema import MIGRATED_VERSIONS, SCHEMA_VERSION
from bot.telegram.sending.downloads import directory_problem

MIN_FREE_BYTES = 2000 * MEBIBYTE
"""Space for one file of the largest size that the operator's own Bot API server passes on."""

PUBSUB_TIMEOUT_S = 3.0
NO_JOB = "check"  # no job has this ID


async def check_store(redis: Redis, settings: Settings) -> list[Finding]:
    """Check version, persistence, memory, password, schema and encryption of a store that answers."""
    info: dict[str, Any] = await redis.info()
    name = (
        f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    )
    where = "REDIS_URL" if settings.redis_url else f"embedded in {settings.data_dir}"
    return [
        ok("store", f"{name}, {where}"),
        _persistence(info),
        _memory(info),
        _replicas(info),
        await _pubsub(redis),
        _password(settings),
        await _schema(redis),
        await _encryption(redis, settings),
    ]


def _persistence(info: dict[str, Any]) -> Finding:
    name = "store: persistence"
    if not info.get("aof_enabled"):
        return wrong(name, "appendonly no: a crash loses jobs", "Set appendonly yes in Redis' configuration")
    if info.get("aof_last_write_status", "ok") != "ok":
        return wrong(name, "the last write to its file failed", "Check the disk of Redis, and its log")
    return ok(name, "appendonly yes")


def _memory(info: dict[str, Any]) -> Finding:
    name = "store: eviction"
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy in ("noeviction", "unknown") or not info.get("maxmemory"):
        return ok(name, policy if info.get("maxmemory") else "no memory limit")
    return wrong(name, f"maxmemory-policy {policy}: jobs may vanish", "Set maxmemory-policy noeviction")


def _replicas(info: dict[str, Any]) -> Finding:
    name = "store: replicas"
    if not info.get("connected_slaves"):
        return skipped(name, "none")
    found = f"{info['connected_slaves']}"
    # Redis counts the good ones only if there has to be one.
    if "min_slaves_good_slaves" in info:
        return ok(name, f"{found}, min-replicas-to-write is set")
    return wrong(
        name,
        f"{found}, but a failover loses what none of them has yet",
        "Set min-replicas-to-write 1 and min-replicas-max-lag 10 on every server",
    )


async def _pubsub(redis: Redis) -> Finding:
    """Publish a cancellation, and listen as docket does: an ACL has to allow its patterns literally."""
    name = "store: messages"
    try:
        async with asyncio.timeout(PUBSUB_TIMEOUT_S), redis.pubsub() as subscription:
            await subscription.psubscribe(f"{keys.DOCKET}:cancel:*", f"{keys.QUICK_DOCKET}:cancel:*")
            await subscription.subscribe(keys.CANCEL_CHANNEL)
            while (message := await subscription.get_message(timeout=PUBSUB_TIMEOUT_S)) is not None:
                if message["type"] == "subscribe":
                    await redis.publish(keys.CANCEL_CHANNEL, NO_JOB)
                elif message["type"] == "message":
                    return ok(name, "published and received")
    except NoPermissionError:
        return wrong(name, "the user in REDIS_URL may not subscribe", "Add &* to the user's ACL")
    except TimeoutError:
        pass
    return wrong(name, "published and not received", "Look at what stands between the bot and Redis")


def _password(settings: Settings) -> Finding:
    name = "store: password"
    if settings.redis_url is None:
        return skipped(name, "embedded: a socket that only its owner can use")
    parts = urlsplit(settings.redis_url.get_secret_value())
    scheme = parts.scheme.partition("+")[0]
    if parts.scheme == "unix":
        return skipped(name, "a Unix socket")
    if parts.password or "password" in parse_qs(parts.query):
        if scheme == "redis" and is_public_host(parts.hostname or "localhost"):
            return wrong(
                name,
                "set, and sent in clear over the internet",
                "Use TLS: rediss:// in REDIS_URL, or a network of your own",
            )
        return ok(name, "set")
    if _is_loopback(parts.hostname or "localhost"):
        return skipped(name, "none, on this machine alone")
    return wrong(
        name,
        "none: whoever reaches Redis can read and change everything",
        "Set requirepass at Redis, and redis://:password@… in REDIS_URL",
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _schema(redis: Redis) -> Finding:
    name = "store: version of the data"
    version: Any = await redis.get(keys.SCHEMA)
    if version is None:
        return ok(name, "empty, new")
    if int(version) > SCHEMA_VERSION:
        problem = f"{version}, this release knows {SCHEMA_VERSION}"
        return wrong(
            name, problem, "Update the bot, or restore an earlier backup: a later release wrote the store"
        )
    if int(version) in MIGRATED_VERSIONS:
        return ok(name, f"{version}, is migrated to {SCHEMA_VERSION} at start")
    if int(version) < SCHEMA_VERSION:
        problem = f"{version}, this release needs {SCHEMA_VERSION}"
        return wrong(name, problem, "Use an empty store: an earlier release wrote this one")
    return ok(name, str(version))


async def _encryption(redis: Redis, settings: Settings) -> Finding:
    """Check that stored tokens can be decrypted; create neither a key nor a marker."""
    name = "encryption key"
    configured = [key.get_secret_value() for key in settings.encryption_keys]
    is_there = (settings.data_dir / KEY_FILE).exists()
    marker = await redis.get(keys.CIPHER_MARKER)
    if not configured and not is_there:
        if marker is None:
            return ok(name, "none yet: it is created at the first start")
        return wrong(
            name,
            f"the store was written with one, and {settings.data_dir / KEY_FILE} is missing",
            "Bring that file back, or set ENCRYPTION_KEYS to the same as on the other machines",
        )
    try:
        token_cipher = TokenCipher.open(configured, settings.data_dir)
        if marker is not None:
            token_cipher.decrypt(str(marker), keys.CIPHER_MARKER)
    except TokenCipherError:
        return wrong(
            name,
            "the store was written with another",
            f"Set ENCRYPTION_KEYS to the same on every machine, or bring back the file {KEY_FILE}",
        )
    except StoreError as error:
        return wrong(name, str(error), "Make the file the bot's own, with mode 600")
    return ok(name, "ENCRYPTION_KEYS" if configured else f"in {settings.data_dir}")


def check_disk(settings: Settings) -> list[Finding]:
    """Check free disk space, and the directories of the operator's own Bot API server."""
    return [
        _directory("disk: DATA_DIR", settings.data_dir, "DATA_DIR"),
        _others_access(settings),
        *_own_server(settings),
    ]


def _others_access(settings: Settings) -> Finding:
    """Check that no other user of the machine reads what the bot keeps, or the secrets of its settings."""
    name = "disk: other users"
    own = [settings.data_dir, ENV_FILE, *([] if settings.shared_dir else [settings.results_dir])]
    is_open = [str(path) for path in own if _is_open_to_others(path)]
    if not is_open:
        return ok(name, "can't read the bot's files")
    return wrong(name, f"can read {', '.join(is_open)}", f"chmod go= {' '.join(is_open)}")


def _is_open_to_others(path: Path) -> bool:
    try:
        stat_result = path.stat()
    except OSError:
        return False
    # Skip root-owned volumes unless running as root.
    return (stat_result.st_uid != 0 or os.getuid() == 0) and bool(stat_result.st_mode & 0o077)


def _own_server(settings: Settings) -> Sequence[Finding]:
    names = ("own server: its files", "own server: results")
    if not settings.telegram_local_mode:
        return [skipped(name, "no TELEGRAM_LOCAL_MODE") for name in names]
    return [
        _server_files(names[0], settings.server_dir),
        _directory(names[1], settings.results_dir, "SHARED_DIR"),
    ]


def _server_files(name: str, directory: Path) -> Finding:
    problem = directory_problem(directory)
    if problem is not None:
        return wrong(name, *problem)
    return _free_space(name, directory, directory)


def _directory(name: str, directory: Path, setting: str) -> Finding:
    """Check a directory that the bot creates if it is missing."""
    existing = directory.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        return wrong(
            name, f"{existing} can't be written", f"Give the bot's user that directory, or set {setting}"
        )
    return _free_space(name, directory, existing)


def _free_space(name: str, directory: Path, existing: Path) -> Finding:
    free = shutil.disk_usage(existing).free
    found = f"{directory}, {free / 1e9:.1f} GB free"
    if free < MIN_FREE_BYTES:
        return wrong(name, found, "Free some space: a video in transit may need 2 GB")
    return ok(name, found)


async def is_polled(redis: Redis) -> bool:
    """Return whether a process that shares the store polls Telegram now."""
    return bool(await redis.exists(keys.POLLING_LOCK))
