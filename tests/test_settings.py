import base64
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.commands.check import check_spenders
from bot.commands.check_findings import Verdict
from bot.jobs.steps.turn_draft import TurnLimits
from bot.settings import Settings, WrongSettings, load_settings
from bot.startup import describe_proxies
from tests.env_example import env_example

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def wrong(env_file: Path | None = None) -> list[str]:
    with pytest.raises(WrongSettings) as caught:
        load_settings(env_file)
    return caught.value.lines


def test_nothing_has_to_be_set() -> None:
    settings = load_settings()
    assert settings.telegram_bot_token is None
    assert settings.redis_url is None
    assert settings.render_poll_s == 15
    assert settings.results_dir == settings.data_dir / "results"


def test_the_address_and_the_longest_turn_are_the_documented_ones() -> None:
    settings = load_settings()
    assert settings.nemo_api_url == "https://mega-api-prod.nemovideo.ai"
    assert (settings.turn_total_s, TurnLimits().total_s) == (15 * 60, 15 * 60)


def test_uploads_have_the_documented_size_at_most() -> None:
    assert load_settings().max_upload_mb == 500


def test_ids_are_read_from_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_CHATS", "-1001234567890, 5")
    monkeypatch.setenv("ADMINS", "5")
    settings = load_settings()
    assert (settings.allowed_users, settings.allowed_chats, settings.admins) == (
        (),
        (-1001234567890, 5),
        (5,),
    )


def test_all_invalid_settings_are_named_at_once_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "TELEGRAM_API_URL": "secret-host-without-scheme",
        "NEMO_API_URL": "ftp://secret-ftp",
        "NEMO_WEB_URL": "http://secret\u2100host",
        "CHAT_TTL_DAYS": "987654",
        "RENDER_POLL_S": "secret-word",
        "LOG_LEVEL": "SECRETLEVEL",
        "TELEGRAM_LOCAL_MODE": "secretly",
        "SKILL_SOURCE": "s" * 65,
        "DEAD_WORKER_S": "nan",
        "TELEGRAM_BOT_TOKEN": "secret token",
        "REDIS_URL": "http://:secret@localhost",
        "NEMO_MEDIA_HOSTS": "cdn.example,secret.example/path",
        "ENCRYPTION_KEYS": "secretly,short",
        "ALLOWED_USERS": "5,@secret",
        "WEBHOOK_URL": "secretly",
        "WEBHOOK_SECRET": "secret",
        "HTTP_LISTEN": "secret-host",
        "NEMO_PROXY": "http://proxy.example:secretport",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    lines = wrong()
    assert {line.partition(":")[0] for line in lines} == set(values)
    for value in values.values():
        assert value not in "\n".join(lines)
    assert "secret" not in "\n".join(line.partition(":")[2] for line in lines).lower()


SECRET = "of-nobody-at-all-0123456789"


def test_a_webhook_needs_a_secret_and_the_error_says_how_to_make_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", "https://bot.example.org/hook")
    (line,) = wrong()
    assert line.startswith("WEBHOOK_SECRET: needed with WEBHOOK_URL")
    assert line.endswith("make one with: openssl rand -hex 32")
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    assert load_settings().listen == ("127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://bot.example.org/hook", "https://"),
        ("https://bot.example.org:8080/hook", "443, 80, 88, 8443"),
        ("https://bot.example.org/metrics", "path of its own"),
        ("https://bot.example.org/hook?a=1", "path of its own"),
    ],
)
def test_webhook_addresses_that_telegram_does_not_deliver_to(
    monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    monkeypatch.setenv("WEBHOOK_URL", url)
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    (line,) = wrong()
    assert line.startswith("WEBHOOK_URL: ")
    assert says in line


def test_an_own_server_delivers_without_tls_and_to_any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "http://bot-api:8081")
    monkeypatch.setenv("WEBHOOK_URL", "http://bot:8080/hook")
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    assert load_settings().webhook_url == "http://bot:8080/hook"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("[::]:80", ("::", 80)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_http_listen_is_parsed(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: tuple[str, int]
) -> None:
    monkeypatch.setenv("HTTP_LISTEN", given)
    assert load_settings().listen == expected


@pytest.mark.parametrize("given", ["127.0.0.1:65536", ":8080", "8080"])
def test_http_listen_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("HTTP_LISTEN", given)
    (line,) = wrong()
    assert line.startswith("HTTP_LISTEN: must be a host and a port")


@pytest.mark.parametrize(
    ("name", "too_low", "lowest", "highest", "too_high"),
    [
        ("CHAT_TTL_DAYS", "0", "1", "3650", "3651"),
        ("RENDER_POLL_S", "0", "0.01", "600", "600.1"),
        ("PROGRESS_EDIT_S", "0", "0.01", "60", "61"),
        ("RECOVERY_READINGS", "0", "1", "100", "101"),
        ("TURN_SILENT_S", "-1", "0.5", "3600", "3601"),
        ("MAX_UPLOAD_MB", "0", "1", "2000", "2001"),
        ("WORKER_JOBS", "0", "1", "100000", "100001"),
        ("QUEUE_LIMIT", "0", "1", "10000", "10001"),
        ("TOTAL_QUEUE_LIMIT", "0", "1", "1000000", "1000001"),
        ("JOB_ATTEMPTS", "0", "1", "100", "101"),
        ("DEAD_WORKER_S", "0.9", "1", "600", "inf"),
    ],
)
def test_numbers_are_bounded(
    monkeypatch: pytest.MonkeyPatch, name: str, too_low: str, lowest: str, highest: str, too_high: str
) -> None:
    monkeypatch.setenv("TURN_TOTAL_S", "3600")
    for value in (too_low, too_high):
        monkeypatch.setenv(name, value)
        assert [line.partition(":")[0] for line in wrong()] == [name]
    for value in (lowest, highest):
        monkeypatch.setenv(name, value)
        assert getattr(load_settings(), name.lower()) == float(value)


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("QUEUE_LIMIT=7\nJOB_ATTEMPTS=3\nLOG_FORMAT=json\n# NEMO_TOKEN=x\n", "utf-8")
    monkeypatch.setenv("JOB_ATTEMPTS", "9")
    settings = load_settings()
    assert (settings.queue_limit, settings.job_attempts, settings.log_format) == (7, 9, "json")
    assert settings.nemo_token is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("ALLOWED_USER", "ALLOWED_USERS"), ("TELEGRAM_TOKEN", "TELEGRAM_BOT_TOKEN"), ("redis_uri", "REDIS_URL")],
)
def test_a_misspelt_name_is_refused_with_the_nearest_right_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, nearest: str
) -> None:
    refusal = f"{name}: no such setting; did you mean {nearest}?"
    monkeypatch.setenv(name, "secret")
    assert wrong() == [refusal]
    monkeypatch.delenv(name)
    (tmp_path / ".env").write_text(f"{name}=secret\n", "utf-8")
    assert wrong(tmp_path / ".env") == [refusal]
    (tmp_path / ".env").write_text(f"{name}=\nVALKEY_PASSWORD=secret\n", "utf-8")
    load_settings(tmp_path / ".env")


def test_what_belongs_to_others_in_the_environment_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("REDIS_SERVICE_HOST", "REDIS_PORT", "DATABASE_URL", "TELEGRAM_CHAT_ID"):
        monkeypatch.setenv(name, "1")
    load_settings()
    (tmp_path / ".env").write_text("XYZ=1\n", "utf-8")
    assert wrong(tmp_path / ".env") == ["XYZ: no such setting"]


def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("nmv_usr_1\n", "utf-8")
    monkeypatch.setenv("NEMO_TOKEN_FILE", str(tmp_path / "token"))
    token = load_settings().nemo_token
    assert token is not None
    assert token.get_secret_value() == "nmv_usr_1"
    monkeypatch.setenv("NEMO_TOKEN", "nmv_usr_2")
    assert wrong() == ["NEMO_TOKEN_FILE: NEMO_TOKEN is set as well; remove one of them"]
    monkeypatch.delenv("NEMO_TOKEN")
    monkeypatch.setenv("NEMO_TOKEN_FILE", str(tmp_path / "nowhere"))
    assert wrong() == [f"NEMO_TOKEN_FILE: {tmp_path / 'nowhere'} can't be read: No such file or directory"]


def test_so_do_the_secrets_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "encryption_keys").write_text(key := Fernet.generate_key().decode(), "utf-8")
    (tmp_path / "of_another_program").write_text("x", "utf-8")
    monkeypatch.setattr("bot.settings.SECRETS_DIR", tmp_path)
    assert [one.get_secret_value() for one in load_settings().encryption_keys] == [key]


def test_an_answer_may_take_at_least_as_long_as_its_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURN_TOTAL_S", "599")
    assert [line.partition(":")[0] for line in wrong()] == ["TURN_TOTAL_S"]


def test_a_blank_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "")
    monkeypatch.setenv("QUEUE_LIMIT", "")
    settings = load_settings()
    assert settings.telegram_bot_token is None
    assert settings.queue_limit == 50


def test_local_mode_needs_an_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_LOCAL_MODE", "true")
    monkeypatch.setenv("QUEUE_LIMIT", "0")
    lines = wrong()
    assert sorted(line.partition(":")[0] for line in lines) == ["QUEUE_LIMIT", "TELEGRAM_LOCAL_MODE"]
    assert any("TELEGRAM_API_URL" in line for line in lines)

    monkeypatch.delenv("QUEUE_LIMIT")
    monkeypatch.setenv("TELEGRAM_API_URL", "http://botapi:8081/")
    settings = load_settings()
    assert settings.telegram_local_mode
    assert settings.telegram_api_url == "http://botapi:8081"


def test_local_mode_with_an_invalid_server_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_LOCAL_MODE", "true")
    monkeypatch.setenv("TELEGRAM_API_URL", "botapi:8081")
    assert [line.partition(":")[0] for line in wrong()] == ["TELEGRAM_API_URL"]


def test_keys_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Fernet.generate_key().decode() for _ in range(2))
    monkeypatch.setenv("ENCRYPTION_KEYS", f" {first} , {second},, ")
    assert [key.get_secret_value() for key in load_settings().encryption_keys] == [first, second]
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{first},short")
    assert wrong() == ["ENCRYPTION_KEYS: number 2: must be 32 bytes in URL-safe base64"]


def test_a_shared_directory_holds_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHARED_DIR", str(tmp_path / "shared"))
    assert load_settings().results_dir == tmp_path / "shared"


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "TELEGRAM_BOT_TOKEN": "7000000001:swordfish-token",
        "NEMO_TOKEN": "nmv_usr_swordfish",
        "REDIS_URL": "redis://:swordfish@host:6379/0",
        "ENCRYPTION_KEYS": base64.urlsafe_b64encode(b"swordfish".ljust(32)).decode(),
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "swordfish" not in shown
    assert secrets["ENCRYPTION_KEYS"] not in shown


def test_the_example_is_up_to_date() -> None:
    text = (ROOT / ".env.example").read_text("utf-8")
    assert text == env_example(), "regenerate it: python -m tests.env_example > .env.example"


def test_the_example_sets_nothing_but_is_complete(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(env_example(), "utf-8")
    assert load_settings() == load_settings(None)
    for name in Settings.model_fields:
        assert f"\n#{name.upper()}=" in env_example()
    assert "\n#RENDER_POLL_S=15\n" in env_example()
    assert str(Path.home()) not in env_example()


def test_the_example_can_be_uncommented_as_it_is(tmp_path: Path) -> None:
    lines = [line for line in env_example().splitlines() if line.startswith("#") and line[1:2].isupper()]
    (tmp_path / ".env").write_text("\n".join(line[1:] for line in lines), "utf-8")
    assert load_settings() == load_settings(None)


def test_strangers_have_limits_where_they_could_use_up_the_operators_credits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def limits() -> tuple[int, int]:
        settings = load_settings()
        return settings.daily_jobs_per_person, settings.daily_jobs_per_chat

    assert limits() == (0, 0)
    monkeypatch.setenv("NEMO_TOKEN", "nmv_usr_1")
    assert limits() == (10, 50)
    monkeypatch.setenv("DAILY_CREDITS", "900")
    assert load_settings().spenders == (
        "anyone. Daily limits: 10 requests per person and 50 per chat, "
        "unlimited credits per person and 900 in total"
    )
    assert check_spenders(load_settings()).verdict is Verdict.OK
    monkeypatch.setenv("DAILY_JOBS_PER_PERSON", "0")
    assert limits() == (0, 50)
    assert "unlimited requests per person" in load_settings().spenders
    assert check_spenders(load_settings()).verdict is Verdict.WRONG
    monkeypatch.setenv("ALLOWED_USERS", "7")
    assert limits() == (0, 0)
    assert check_spenders(load_settings()).verdict is Verdict.OK


def test_proxies_come_from_the_environment_only_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pass@there:3128")
    assert load_settings().telegram_proxy is None
    monkeypatch.setenv("TRUST_ENV_PROXY", "true")
    monkeypatch.setenv("NEMO_PROXY", "socks5://user:pass@near:1080")
    settings = load_settings()
    assert settings.telegram_proxy
    assert settings.telegram_proxy.get_secret_value() == "http://user:pass@there:3128"
    assert describe_proxies(settings) == "Telegram by http://there:3128, NemoVideo by socks5://near:1080"
    monkeypatch.setenv("NEMO_PROXY", "socks4://user:hush@near")
    monkeypatch.setenv("HTTPS_PROXY", "there:3128")
    lines = wrong()
    assert [line.partition(":")[0] for line in lines] == ["TELEGRAM_PROXY", "NEMO_PROXY"]
    assert "hush" not in str(lines)
