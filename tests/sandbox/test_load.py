"""A load's figures, and what of the operator's settings it is played with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from bot.sandbox.botapi.journal import Call
from bot.sandbox.load import VIDEOS, Load, Request, numbers
from bot.settings import Settings

AT = datetime(2026, 1, 1, tzinfo=UTC)


def _call(method: str, after_s: float) -> Call:
    at = AT + timedelta(seconds=after_s)
    return Call(1, 1, method, {}, at, at, "ok")


def test_a_request_has_its_first_sign_and_then_its_answer() -> None:
    request = Request(VIDEOS, AT)

    request.see(_call("sendMessage", -1.0))
    request.see(_call("sendChatAction", 0.1))
    request.see(_call("sendMessage", 0.2))
    assert not request.answered.is_set()
    request.see(_call("sendVideo", 3.0))

    assert (request.first_sign_s, request.answer_s) == (0.2, 3.0)
    assert request.answered.is_set()


def test_the_table_counts_what_was_answered() -> None:
    requests = [
        Request(VIDEOS, AT, first_sign_s=number / 100, answer_s=number / 10) for number in range(1, 101)
    ]
    load = Load([*requests, Request(VIDEOS, AT)], [0, 7, 3], 5.0, 120.0, 2000, 50.0)

    assert dict(load.rows()) == {
        "Requests": "101, 121 a minute",
        "First sign": "half within 0.51 s, 99 of 100 within 1 s",
        "Answers": "100: half within 5.1 s, 99 of 100 within 10 s",
        "Unanswered": "1",
        "Queue": "7 edits waiting at most",
        "CPU": "10 % of a core, 50 ms an answer",
        "Memory": "120 MB at most",
        "Redis commands": "2000, 20 an answer",
    }
    assert dict(Load(duration_s=1.0).rows())["First sign"] == "none"


def test_only_numbers_of_the_settings_reach_the_bot(tmp_path: Path) -> None:
    settings = Settings(  # type: ignore[call-arg]  # of pydantic-settings, unknown to its types
        _env_file=None,
        telegram_bot_token=SecretStr(f"1:{'a' * 35}"),
        nemo_token=SecretStr("nmv_usr_real"),
        redis_url=SecretStr("redis://elsewhere"),
        data_dir=tmp_path,
        worker_jobs=17,
        fallback_to_guest=True,
    )

    chosen = numbers(settings)

    assert chosen["WORKER_JOBS"] == "17"
    assert not chosen.keys() & {
        "TELEGRAM_BOT_TOKEN",
        "NEMO_TOKEN",
        "REDIS_URL",
        "DATA_DIR",
        "ADMINS",
        "FALLBACK_TO_GUEST",
        "LOG_LEVEL",
    }
