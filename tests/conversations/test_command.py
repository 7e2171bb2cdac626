"""The sandbox's command as people run it: exit codes, and what is printed where."""

import asyncio
import http.client
import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.sandbox.botapi.client import People
from tests.clocks import eventually

pytestmark = pytest.mark.heavy


ENDS_WITHIN_S = 60

ASKED = {"Ann": {"says": "/help"}}
HELP = {"title": "Help", "people": {"Ann": {}}}


@asynccontextmanager
async def started(
    *arguments: str, cwd: Path, stderr: Any = asyncio.subprocess.PIPE, **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as a process; ended with the block."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        cwd=cwd,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            # Not killed at once: its store would live on.
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), ENDS_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def run(*arguments: str, cwd: Path, **settings: str) -> tuple[int, str, str]:
    """Exit code, what was printed, and what was complained about."""
    async with started(*arguments, cwd=cwd, **settings) as process, asyncio.timeout(ENDS_WITHIN_S):
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


async def test_play_without_a_file_plays_the_main_job(tmp_path: Path) -> None:
    code, out, err = await run("sandbox", "--play", "--out", "result", cwd=tmp_path)

    assert (code, err) == (0, "")
    assert "The main job: every expectation held" in out
    transcript = (tmp_path / "result/transcript.txt").read_text(encoding="utf-8")
    assert transcript.splitlines()[2].startswith("00:00.0  Ann #")
    assert "[video nemovideo.mp4]" in transcript
    assert len(list((tmp_path / "result").glob("*.mp4"))) == 2


async def test_who_writes_in_a_chats_name_is_called_by_that(tmp_path: Path) -> None:
    script = {
        "title": "Named",
        "people": {"Ann": {}},
        "chats": {"Club": {"creator": "Ann"}},
        "steps": [
            {"Ann": {"says": "/help", "chat": "Club", "as": "anonymous"}},
            {"bot": {"says": "How it works"}},
        ],
    }
    (tmp_path / "named.yaml").write_text(yaml.safe_dump(script), "utf-8")

    code, _, err = await run("sandbox", "--play", "named.yaml", "--out", "result", cwd=tmp_path)

    assert (code, err) == (0, "")
    transcript = (tmp_path / "result/transcript.txt").read_text(encoding="utf-8")
    assert "Club #2: /help" in transcript


async def test_the_machines_own_settings_are_not_the_sandboxs(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NEMO_TOKEN=nmv_usr_for_real_use\n", "utf-8")
    own = {"REDIS_URL": "redis://localhost:1", "NEMO_TOKEN": "nmv_usr_for_real_use", "DEAD_WORKER_S": "-1"}

    async with started("sandbox", cwd=tmp_path, **own) as process, asyncio.timeout(ENDS_WITHIN_S):
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"Chat with the bot: http://127.0.0.1:")


async def test_a_load_is_played_with_the_operators_numbers_and_told_in_a_table(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "REDIS_URL=redis://localhost:1\nNEMO_TOKEN=nmv_usr_for_real_use\n", "utf-8"
    )

    code, out, err = await run(
        "sandbox", "--load", "4", "--minutes", "0.1", cwd=tmp_path, DAILY_JOBS_PER_PERSON="0"
    )

    assert (code, err) == (0, "")
    table = {line[:15].strip(): line[16:] for line in out.splitlines()}
    assert list(table) == [
        "Requests",
        "First sign",
        "Answers",
        "Unanswered",
        "Queue",
        "CPU",
        "Memory",
        "Redis commands",
    ]
    assert not table["Requests"].startswith("0")
    assert table["First sign"].startswith("half within")


async def test_the_chat_page_is_told_in_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    async with started("sandbox", cwd=tmp_path, TMPDIR=str(place)) as process, asyncio.timeout(ENDS_WITHIN_S):
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().split()[4]
        assert "<title>NemoVideo bot" in await asyncio.to_thread(_get, address)
        assert list(place.iterdir())
        # A page that listens does not keep it from ending.
        events = await asyncio.to_thread(urllib.request.urlopen, f"{address}events")

        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        events.close()

    assert (process.returncode, out, err) == (0, b"", b"")
    assert list(place.iterdir()) == []


async def test_a_sandboxs_files_stay_where_they_are_wanted(tmp_path: Path) -> None:
    async with (
        started("sandbox", "--data-dir", "kept", cwd=tmp_path) as process,
        asyncio.timeout(ENDS_WITHIN_S),
    ):
        assert process.stdout is not None
        assert (await process.stdout.readline()).endswith(b"files stay in kept\n")
        process.send_signal(signal.SIGINT)
        await process.communicate()

    assert process.returncode == 0
    assert {path.name for path in (tmp_path / "kept").iterdir()} >= {"services", "bot", "clips"}
    code, _, err = await run("sandbox", "--data-dir", "kept", cwd=tmp_path)
    assert (code, err.startswith("kept is not empty")) == (2, True)


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = await run("sandbox", "--port", str(port), cwd=tmp_path)

    assert (code, out) == (2, "")
    assert err.startswith(f"Port {port} can't be used")
    assert len(err.splitlines()) == 1


async def test_a_place_that_nothing_can_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    code, _, err = await run("sandbox", "--play", "--out", "taken/out", cwd=tmp_path)

    assert code == 2
    assert err.startswith("taken")
    assert len(err.splitlines()) == 1


async def test_a_difference_names_the_step_and_both_sides(tmp_path: Path) -> None:
    answered = {"bot": {"says": "How it works"}}
    wrong = {**HELP, "steps": [ASKED, answered, {"bot": {"says": "Good bye", "within_s": 1}}]}
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))

    code, _, err = await run("sandbox", "--play", "wrong.yaml", "--out", "out", cwd=tmp_path)

    assert code == 1
    assert "Help: not as expected\nStep 3 (bot): expected a message that says: “Good bye”" in err
    assert "“How it works" in err
    assert "Traceback" not in err
    assert "/help – See how it works" in (tmp_path / "out/transcript.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_conversation_that_is_ended_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    file = tmp_path / "waits.yaml"
    file.write_text(yaml.safe_dump({**HELP, "steps": [ASKED, {"bot": {"says": "what it never says"}}]}))
    (work := tmp_path / "work").mkdir()

    async with (
        started("sandbox", "--play", str(file), cwd=tmp_path, TMPDIR=str(work)) as process,
        asyncio.timeout(ENDS_WITHIN_S),
    ):
        await eventually(lambda: list(work.glob("nemovideo-*/bot/valkey/appendonlydir")), "its store runs")
        process.send_signal(number)
        _, err = await process.communicate()

    assert (process.returncode, err) == (130, b"")
    assert list(work.glob("nemovideo-*")) == []


async def test_a_wrong_file_ends_with_2_and_a_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump({**HELP, "steps": [{"Bo": {"says": "hi"}}]}))

    code, out, err = await run("sandbox", "--play", "wrong.yaml", cwd=tmp_path)

    assert (code, out, err) == (2, "", "wrong.yaml, step 1: nobody is called Bo\n")


async def test_run_without_a_token_names_the_sandbox(tmp_path: Path) -> None:
    code, out, err = await run("run", cwd=tmp_path)

    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "TELEGRAM_BOT_TOKEN" in err
    assert "nemovideo-bot sandbox" in err


async def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    code, _, err = await run(
        "run",
        cwd=tmp_path,
        RENDER_POLL_S="0",
        QUEUE_LIMIT="many",
        TELEGRAM_API_URL="ftp://x",
        LOG_LEVEL="LOUD",
    )

    assert code == 2
    lines = err.splitlines()
    named = ["LOG_LEVEL", "QUEUE_LIMIT", "RENDER_POLL_S", "TELEGRAM_API_URL"]
    assert sorted(line.split()[2].rstrip(":") for line in lines) == named


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_services_end_cleanly_while_somebody_polls(tmp_path: Path, number: signal.Signals) -> None:
    async with started("sandbox", "--only", "services", cwd=tmp_path) as process:
        assert process.stdout is not None
        async with asyncio.timeout(ENDS_WITHIN_S):
            lines = [(await process.stdout.readline()).decode() for _ in range(3)]
        told = [line.split() for line in lines]
        assert [words[0] for words in told] == ["Telegram", "NemoVideo", "Bot"]
        telegram, token = told[0][1], told[2][2].rstrip(",")
        # What the three lines point to explains itself.
        people_url, switches_url = (words[-1].rstrip(")") for words in told[:2])
        assert "add_user" in await asyncio.to_thread(_get, people_url)
        assert "settings" in await asyncio.to_thread(_get, switches_url)
        settings = await asyncio.to_thread(_get, f"{switches_url}settings")
        assert json.loads(settings)["render_fails"] == 0
        updates = f"{telegram}/bot{token}/getUpdates?timeout=50"
        async with People(people_url.removesuffix("/control/")) as people:
            await (await people.person()).start()
            first = json.loads(await asyncio.to_thread(_get, updates))["result"][0]["update_id"]
            polling = asyncio.create_task(asyncio.to_thread(_get, f"{updates}&offset={first + 1}"))
            # The second poll's offset confirms the update: now it waits.
            assert await people.confirmed()

        process.send_signal(number)
        async with asyncio.timeout(ENDS_WITHIN_S):
            _, err = await process.communicate()

        assert (process.returncode, err.decode()) == (0, "")
        with pytest.raises(http.client.RemoteDisconnected):
            await polling


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=ENDS_WITHIN_S) as answer:  # noqa: S310 - loopback
        return str(answer.read().decode())
