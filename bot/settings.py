"""Every setting, read from the environment and from ``.env``."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.runtime.setting_types import (
    Amount,
    BotToken,
    CommaSeparated,
    EncryptionKey,
    Host,
    ListenAddress,
    ProxyAddress,
    RedisAddress,
    WebAddress,
    WebhookSecret,
    environment_proxy,
    unknown_names,
)
from bot.runtime.terminal import CommandError

MEBIBYTE = 1024 * 1024

DEFAULT_CHAT_TTL_DAYS = 90

ENV_FILE = Path(".env")
"""File with settings, in the directory in which the bot is started. The environment takes precedence."""

SECRETS_DIR = Path("/run/secrets")
"""Where container engines put secrets, a file each."""

COMPOSE_NAMES = (
    "VALKEY_PASSWORD", "TELEGRAM_API_ID", "TELEGRAM_API_HASH", "WEBHOOK_HOST", "WEBHOOK_PATH", "GRAFANA_PASSWORD",
)  # fmt: skip
"""What else stands in ``deploy/.env``: for the other containers of ``deploy/compose.yaml``."""

TELEGRAM_CLOUD_URL = "https://api.telegram.org"
WEBHOOK_PORTS = (443, 80, 88, 8443)  # the ports that Telegram's cloud delivers to
HTTP_LISTEN = "127.0.0.1:8080"  # the web app's address when the webhook needs one and HTTP_LISTEN is not set
RESERVED_PATHS = ("/healthz", "/readyz", "/metrics")  # paths that the web app serves besides the webhook's


class WrongSettings(CommandError):
    """Some settings are not valid.

    Args:
        lines: One for each, with the variable's name and the problem.
    """

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(f"Wrong setting {line}" for line in lines))
        self.lines = lines


class Settings(BaseSettings):
    """What an operator can set. A blank value counts as not set.

    Each field's description is its comment in ``.env.example``.
    """

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    telegram_bot_token: BotToken | None = Field(
        None, description="The bot's token, from @BotFather. Needed for real use."
    )
    telegram_api_url: WebAddress = Field(
        TELEGRAM_CLOUD_URL, description="The Bot API server: Telegram's cloud, or your own."
    )
    telegram_local_mode: bool = Field(
        False,
        description="Your own Bot API server runs with --local: files up to 2000 MB, passed by path on a shared disk.",
    )
    shared_dir: Path | None = Field(
        None,
        description="With TELEGRAM_LOCAL_MODE: a directory that the bot and the Bot API server see under the same "
        "path; finished videos wait there. Default: results/ in DATA_DIR.",
    )
    telegram_files_dir: Path | None = Field(
        None,
        description="With TELEGRAM_LOCAL_MODE: the Bot API server's directory, as the bot sees it. Files that people "
        "sent are read there and deleted after use, and nothing outside of it. Default: /var/lib/telegram-bot-api.",
    )
    webhook_url: WebAddress | None = Field(
        None,
        description="The public https:// address to which Telegram delivers updates, with a path of your choice; it "
        "has to lead to HTTP_LISTEN. Default: updates are polled, and no address is needed.",
    )
    webhook_secret: WebhookSecret | None = Field(
        None,
        validate_default=True,
        description="With WEBHOOK_URL: proves that a delivery comes from Telegram. Make one with: openssl rand -hex 32",
    )
    http_listen: ListenAddress | None = Field(
        None,
        description="host:port for the webhook, /healthz, /readyz and /metrics. Default: 127.0.0.1:8080 in the "
        "process that receives the webhook, otherwise none of them is served.",
    )
    nemo_api_url: WebAddress = Field("https://mega-api-prod.nemovideo.ai", description="NemoVideo's API.")
    nemo_web_url: WebAddress = Field("https://nemovideo.com", description="NemoVideo's web site, for links.")
    nemo_media_hosts: CommaSeparated[Host] = Field(
        ("nemovideo.ai", "*.nemovideo.ai", "nemovideo.com", "*.nemovideo.com"),
        description="Hosts besides NEMO_API_URL that results may be downloaded from, comma-separated; *.example means "
        "all below it. Only by https on its usual port, unless scheme or port are given (http://10.0.0.5:8080). Names "
        "that resolve to a private network are refused.",
    )
    trust_env_proxy: bool = Field(
        False,
        description="Whether the proxies in HTTPS_PROXY, HTTP_PROXY and ALL_PROXY are used, except for the hosts in "
        "NO_PROXY.",
    )
    telegram_proxy: ProxyAddress | None = Field(
        default_factory=lambda known: _environment_proxy(known, "telegram_api_url"),
        validate_default=True,
        description="The proxy to TELEGRAM_API_URL, for calls and files: http://, https:// or socks5://, such as "
        "socks5://user:password@host:1080. It resolves the names.",
    )
    nemo_proxy: ProxyAddress | None = Field(
        default_factory=lambda known: _environment_proxy(known, "nemo_api_url"),
        validate_default=True,
        description="The proxy to NEMO_API_URL and NEMO_MEDIA_HOSTS, likewise. That a name does not resolve to a "
        "private network is then the proxy's to ensure.",
    )
    nemo_token: SecretStr | None = Field(
        None,
        description="The token of the account that pays for every chat. Without it each chat gets a guest account, of "
        "which NemoVideo gives about ten a week to one IP address.",
    )
    fallback_to_guest: bool = Field(
        False,
        description="Whether chats go on with guest accounts, in new projects, once NemoVideo refuses NEMO_TOKEN. "
        "ADMINS are told either way.",
    )
    transcribe_url: WebAddress | None = Field(
        None, description="An OpenAI-compatible endpoint (https://host/v1) that transcribes spoken requests."
    )
    transcribe_key: SecretStr | None = Field(None, description="The key of TRANSCRIBE_URL.")
    transcribe_model: str = Field("whisper-1", description="The model of TRANSCRIBE_URL.")
    skill_source: str | None = Field(
        None,
        max_length=64,
        description="NemoVideo's own name for where the skills were installed from: it sets the header "
        "X-Skill-Platform; X-Skill-Source is always the skill card's name. Default: by the card's directory.",
    )
    default_skill: str = Field(
        "video-editor", description="Name of the skill card that a new chat starts with."
    )
    skills_dir: Path | None = Field(
        None,
        description="A directory with your own skill cards, each a folder with a SKILL.md. Read at start, besides "
        "~/.clawhub/ and ~/.cursor/skills/; a card here replaces one of the same name there.",
    )
    redis_url: RedisAddress | None = Field(
        None,
        description="A Redis 6.2+ or Valkey to share between processes and machines, such as "
        "redis://:password@host:6379/0, or of Sentinel redis+sentinel://:password@host1,host2,host3/mymaster. "
        "Default: an embedded one in DATA_DIR.",
    )
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("nemovideo-bot", appauthor=False)),
        description="Directory of the embedded store, the encryption key and temporary files. Default: the platform's "
        "directory for user data.",
    )
    encryption_keys: CommaSeparated[EncryptionKey] = Field(
        (),
        description="Keys that encrypt stored tokens, comma-separated; the first encrypts, all decrypt. Default: one "
        "created in DATA_DIR at the first start. Needed if several machines share REDIS_URL.",
    )
    allowed_users: CommaSeparated[int] = Field(
        (),
        description="IDs of people who may use the bot, in every chat, comma-separated. Default, if ALLOWED_CHATS is "
        "not set either: everyone.",
    )
    allowed_chats: CommaSeparated[int] = Field(
        (),
        description="IDs of groups in which everyone may use the bot, comma-separated. A group that becomes a "
        "supergroup gets a new ID.",
    )
    staging_chat: int | None = Field(
        None,
        description="ID of a chat or channel for guest mode, preferably one that only the bot uses: a video for "
        "somebody who has not started the bot goes there first, and from there into the chat where they asked. "
        "Default: they get a button for the video instead.",
    )
    admins: CommaSeparated[int] = Field(
        (),
        description="IDs of the bot's admins, comma-separated: they may always use it, and have admin commands in "
        "their private chats with it.",
    )
    daily_jobs_per_person: Amount = Field(
        default_factory=lambda known: 10 if _is_open_to_all(known) else 0,
        description="Requests that a person may make per day (UTC). 0: unlimited. Default: 10 if everybody may use "
        "NEMO_TOKEN, because neither ALLOWED_USERS nor ALLOWED_CHATS is set; else 0.",
    )
    daily_jobs_per_chat: Amount = Field(
        default_factory=lambda known: 50 if _is_open_to_all(known) else 0,
        description="Requests that a chat may make per day (UTC). 0: unlimited. Default: 50 if everybody may use "
        "NEMO_TOKEN, because neither ALLOWED_USERS nor ALLOWED_CHATS is set; else 0.",
    )
    daily_mb_per_person: Amount = Field(
        0, description="MB of files that a person may send per day (UTC). 0: unlimited."
    )
    daily_mb_per_chat: Amount = Field(
        0, description="MB of files that a chat may send per day (UTC). 0: unlimited."
    )
    daily_credits: Amount = Field(
        0,
        description="Credits that NEMO_TOKEN's account may spend per day (UTC). Requests that would go past it are "
        "refused until the next day, and ADMINS are told at 50, 80 and 100 percent. 0: unlimited.",
    )
    daily_credits_per_person: Amount = Field(
        0,
        description="Credits of NEMO_TOKEN's account that one person may spend per day (UTC). A request counts 50, a "
        "generation 100, until it is known what it used. 0: unlimited.",
    )
    chat_ttl_days: int = Field(
        DEFAULT_CHAT_TTL_DAYS,
        ge=1,
        le=3650,
        description="Days after which the data of an unused chat is erased.",
    )
    render_poll_s: float = Field(
        15.0,
        gt=0,
        le=600,
        description="Longest pause between two polls of a render, in seconds. The first poll comes after 2 s, and the "
        "pauses grow by half, but only as far as they add at most 2 s or a tenth to the render. NemoVideo's own client "
        "waits 15 s at most; its skill documents say 30.",
    )
    progress_edit_s: float = Field(
        3.0, gt=0, le=60, description="Seconds at least between two edits of a job's progress message."
    )
    recovery_first_s: float = Field(
        30.0, gt=0, le=600, description="Seconds from an interrupted answer to the first poll."
    )
    recovery_every_s: float = Field(60.0, gt=0, le=600, description="Seconds between the polls after that.")
    recovery_readings: int = Field(
        5, ge=1, le=100, description="Polls without a change after which the request counts as failed."
    )
    turn_silent_s: float = Field(
        600.0,
        gt=0,
        le=3600,
        description="Seconds of nothing but keep-alives after which an answer counts as interrupted.",
    )
    turn_total_s: float = Field(900.0, gt=0, le=3600, description="Seconds that an answer may take in total.")
    render_total_s: float = Field(
        3600.0, gt=0, le=86400, description="Seconds that a render may take in total."
    )
    max_upload_mb: int = Field(
        500, ge=1, le=2000, description="The largest file that NemoVideo accepts, in MB."
    )
    worker_jobs: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Requests that one worker process runs concurrently; questions are answered beside them.",
    )
    queue_limit: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Requests that may wait in one chat's queue, and of one person in all chats.",
    )
    total_queue_limit: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Requests that may wait in all chats together; more are refused with a message.",
    )
    job_attempts: int = Field(
        5, ge=1, le=100, description="Attempts after which an interrupted job is given up."
    )
    dead_worker_s: float = Field(
        10.0,
        ge=1,
        le=600,
        description="Seconds without a sign of life after which another worker takes over a worker's jobs.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The lowest level that is logged."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of the log: readable lines, or one JSON object per line."
    )

    @field_validator("turn_total_s")
    @classmethod
    def _validate_turn_total(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("turn_silent_s", value):
            raise ValueError(
                "must be at least TURN_SILENT_S, the silence in which an answer counts as interrupted"
            )
        return value

    # A field validator: pydantic runs a model validator only if all fields are valid.
    @field_validator("telegram_local_mode")
    @classmethod
    def _validate_local_mode(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("telegram_api_url") == TELEGRAM_CLOUD_URL:
            raise ValueError("needs your own server's address in TELEGRAM_API_URL")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _validate_webhook_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if info.data.get("telegram_api_url") == TELEGRAM_CLOUD_URL:
            if parts.scheme != "https":
                raise ValueError(
                    "must begin with https://; only your own Bot API server delivers without TLS"
                )
            if (parts.port or WEBHOOK_PORTS[0]) not in WEBHOOK_PORTS:
                raise ValueError(f"must have one of Telegram's ports: {', '.join(map(str, WEBHOOK_PORTS))}")
        if parts.path in RESERVED_PATHS or parts.query or parts.fragment:
            raise ValueError(f"must end in a path of its own, none of {', '.join(RESERVED_PATHS)}")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _validate_webhook_secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None and info.data.get("webhook_url"):
            raise ValueError(
                "needed with WEBHOOK_URL, else anybody could pose as Telegram; "
                "make one with: openssl rand -hex 32"
            )
        return value

    @property
    def is_open_to_all(self) -> bool:
        """Return whether strangers can use up the credits of ``NEMO_TOKEN``."""
        return _is_open_to_all(dict(self))

    @property
    def spenders(self) -> str:
        """Who may use up the credits of ``NEMO_TOKEN``, for the log and ``check``."""
        if self.nemo_token is None:
            return "no NEMO_TOKEN here"
        who = "anyone" if self.is_open_to_all else "only ALLOWED_USERS, ALLOWED_CHATS and ADMINS"
        limits = (self.daily_jobs_per_person, self.daily_jobs_per_chat)
        credits_ = (self.daily_credits_per_person, self.daily_credits)
        a_person, a_chat, each, together = (limit or "unlimited" for limit in (*limits, *credits_))
        requests = f"{a_person} requests per person and {a_chat} per chat"
        return f"{who}. Daily limits: {requests}, {each} credits per person and {together} in total"

    @property
    def listen(self) -> tuple[str, int]:
        """Host and port of the web app."""
        host, _, port = (self.http_listen or HTTP_LISTEN).rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def server_dir(self) -> Path:
        """The directory in which your own Bot API server stores its files."""
        return self.telegram_files_dir or Path("/var/lib/telegram-bot-api")

    @property
    def results_dir(self) -> Path:
        """The directory in which finished videos wait to be sent."""
        return self.shared_dir or self.data_dir / "results"


def _is_open_to_all(known: Mapping[str, Any]) -> bool:
    """Return whether strangers can use up the operator's credits."""
    return bool(known.get("nemo_token")) and not (known.get("allowed_users") or known.get("allowed_chats"))


def _environment_proxy(known: Mapping[str, Any], service: str) -> SecretStr | None:
    url = environment_proxy(known[service]) if known.get("trust_env_proxy") and service in known else None
    return SecretStr(url) if url else None


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """Read the settings.

    A secret may stand in a file instead: the one that ``NAME_FILE`` names, or one called like it in ``/run/secrets``.

    Args:
        env_file: Read in addition to the environment, which takes precedence.

    Raises:
        WrongSettings: Names every invalid setting, without its value: it may be a secret.
    """
    in_file = {} if env_file is None else dotenv_values(env_file, encoding="utf-8")
    known = {name.upper() for name in Settings.model_fields}
    problems = list(unknown_names({*known, *_secret_files()}, COMPOSE_NAMES, in_file, os.environ))
    secrets, settings = {}, None
    try:
        secrets = _read_secret_files({**in_file, **os.environ})
    except ValueError as error:
        problems.append(str(error))
    try:
        settings = Settings(
            _env_file=env_file,  # type: ignore[call-arg]  # of pydantic-settings, unknown to its types
            _secrets_dir=SECRETS_DIR if SECRETS_DIR.is_dir() else None,
            **secrets,
        )
    except ValidationError as error:
        problems += [
            f"{str(item['loc'][0]).upper()}: "
            + "".join(f"number {int(place) + 1}: " for place in item["loc"][1:])
            + item["msg"].removeprefix("Value error, ")
            for item in error.errors(include_input=False, include_url=False)
            if item["type"] != "default_factory_not_called"  # It only follows from another one.
        ]
    if settings is None or problems:
        raise WrongSettings(problems)
    return settings


def _secret_files() -> dict[str, str]:
    """Return the settings that hold secrets, by the variables that name their files."""
    return {
        f"{name.upper()}_FILE": name
        for name, field in Settings.model_fields.items()
        if "SecretStr" in repr(field.annotation)
    }


def _read_secret_files(variables: Mapping[str, str | None]) -> dict[str, Any]:
    secrets = {}
    for variable, name in _secret_files().items():
        if not (path := variables.get(variable)):
            continue
        if variables.get(name.upper()):
            raise ValueError(f"{variable}: {name.upper()} is set as well; remove one of them")
        try:
            secrets[name] = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is no text"
            raise ValueError(f"{variable}: {path} can't be read: {reason}") from None
    return secrets
