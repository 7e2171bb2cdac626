import json
import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog

from bot.runtime.logs import configure_logging, redact

BOT_TOKEN = "7000000001:AAswordfish-token_of_nobody-at-all"
NEMO_TOKEN = "nmv_usr_swordfish-with-dashes"
PASSWORD = "sword@fish/pass"

SECRET_TEXTS = [
    f"the token is {BOT_TOKEN}",
    f"https://api.telegram.org/bot{BOT_TOKEN}/getMe failed",
    f"GET https://api.telegram.org/file/bot{BOT_TOKEN}/videos/file_1.mp4",
    f"https://api.telegram.org/bot{BOT_TOKEN.replace(':', '%3A')}/getMe",
    f"account {NEMO_TOKEN}, please",
    f"Authorization: Bearer {NEMO_TOKEN}",
    "authorization: bearer swordfish.of.another.kind",
    "Authorization: Bearer swordfish.of.another.kind",
    "https://nemovideo.com/workspace/claim?ct=clm_swordfish",
    f"redis://:{PASSWORD}@host:6379/0 is away",
    f"rediss://user:{PASSWORD}@host:6379/0",
    "unix://:swordfish@/run/redis.sock",
]


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, config = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)
    structlog.contextvars.clear_contextvars()


def fail_twice(secret: str) -> None:
    try:
        json.loads("{" + secret)
    except ValueError as cause:
        raise RuntimeError(f"again {secret}") from cause


def leaks(text: str) -> bool:
    return "swordfish" in text or "fish/pass" in text


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_secrets_are_redacted(text: str) -> None:
    assert not leaks(redact(text))
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-01T12:00:00Z took 12:30 for job 0123456789abcdef",
        "https://nemovideo.com/register?bind=anon_1",
        "redis://localhost:6379/0 is away",
        "127.0.0.1:40123 asked, message 12345:6",
    ],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("secret", SECRET_TEXTS)
def test_no_log_line_contains_a_secret(form: str, secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG", form)
    log = structlog.get_logger("bot.test")
    with structlog.contextvars.bound_contextvars(about=secret):
        log.info("one.event", value=secret, nested={"deep": [secret]})
    log.warning(secret)
    try:
        fail_twice(secret)
    except RuntimeError:
        log.exception("it.failed")
    logging.getLogger("some.library").warning("said %s", secret)
    try:
        fail_twice(secret)
    except RuntimeError:
        logging.getLogger("some.library").exception("with a trace")
    out = capsys.readouterr().err
    assert "one.event" in out
    assert "some.library" in out or "said" in out
    assert not leaks(out)
    if form == "json":
        lines = [json.loads(line) for line in out.splitlines()]
        assert [line["level"] for line in lines] == ["info", "warning", "error", "warning", "error"]


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
async def test_http_libraries_log_no_urls(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(level, "text")

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), trust_env=False) as http:
        await http.get(f"https://api.telegram.org/bot{BOT_TOKEN}/getMe")
    assert capsys.readouterr().err == ""


def test_http_libraries_say_no_more_than_the_level_asks_for() -> None:
    configure_logging("ERROR", "text")
    assert not logging.getLogger("httpx").isEnabledFor(logging.WARNING)


def test_levels_and_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING", "json")
    log = structlog.get_logger("bot.test")
    log.info("not.logged")
    log.warning("was.logged", size=3, text='with "quotes" and Bearer swordfish"')
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found["event"] == "was.logged"
    assert found["size"] == 3
    assert found["level"] == "warning"
    assert found["timestamp"].endswith("Z")


def test_configuring_twice_does_not_duplicate_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "text")
    configure_logging("INFO", "text")
    structlog.get_logger("bot.test").info("once.only")
    assert capsys.readouterr().err.count("once.only") == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_escape_sequences_never_reach_the_log(capsys: pytest.CaptureFixture[str], form: str) -> None:
    configure_logging("INFO", form)
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r"
    structlog.get_logger("test").warning(
        "render.failed", reason=hostile, parts=[hostile], more={hostile: hostile}
    )
    logging.getLogger("library").warning("said %s", hostile)
    structlog.get_logger("test").error("failed", exc_info=ValueError(hostile))
    written = capsys.readouterr().err
    assert "owned" in written
    assert not {*"\x1b\x07\x9b\u202e\r"} & {*written}
