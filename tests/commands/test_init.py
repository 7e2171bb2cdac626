"""Setting the bot up, against the stand-ins of both services."""

import asyncio
import re
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.commands.init import CannotInit, SetUp, at_botfather, read_pairing
from bot.runtime.clock import SystemClock
from bot.sandbox.botapi.client import People
from bot.sandbox.services import Services, serve_services
from bot.settings import Settings, load_settings
from tests.clocks import FastClock
from tests.commands.test_check import NEMO_TOKEN, add_account

CODE = re.compile(r"start=(\S+)")


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with serve_services(tmp_path) as services:
        yield services


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TELEGRAM_API_URL", services.telegram_url)
    monkeypatch.setenv("NEMO_API_URL", services.nemo_url)


class Terminal:
    """A person who answers what is asked, in order."""

    def __init__(self, *answers: str) -> None:
        self.lines: list[str] = []
        self.questions: list[str] = []
        self._answers: Iterator[str] = iter(answers)
        self._shown = asyncio.Event()

    def ask(self, question: str, default: str) -> str:
        self.questions.append(question)
        return next(self._answers) or default

    def show(self, line: str) -> None:
        self.lines.append(line)
        self._shown.set()

    async def code(self, count: int) -> str:
        """Wait for the code of the link that is shown as the given one, from 1 on."""
        while len(codes := CODE.findall("\n".join(self.lines))) < count:
            self._shown.clear()
            await self._shown.wait()
        return str(codes[-1])

    async def run(self, env_file: Path) -> None:
        await SetUp(load_settings(None), FastClock(100), self.ask, self.show).run(env_file)


async def test_all_is_asked_checked_and_written_for_its_owner_alone(
    services: Services, tmp_path: Path
) -> None:
    await add_account(services, 990)
    terminal = Terminal(
        "hush", "1:wrong", services.token, "nmv_wrong", NEMO_TOKEN, "y", "y", "n", "x", "7", ""
    )
    env_file = tmp_path / ".env"
    async with People(services.people_url) as people, asyncio.TaskGroup() as group:
        ann, bo = await people.person("Ann"), await people.person("Bo")
        club = await people.new_chat("supergroup", "Film club", ann)
        await bo.start("nothing")
        group.create_task(terminal.run(env_file))
        await ann.start(await terminal.code(1))
        await ann.say(f"/start {await terminal.code(2)}", club)
    shown = "\n".join(terminal.lines)
    assert "✗ Telegram refuses the token: it must look like" in shown
    assert "✗ Telegram refuses the token: Unauthorized" in shown
    assert "✗ NemoVideo refuses the token" in shown
    assert "✓ 990 credits" in shown
    assert f"✓ Ann, ID {ann.id}" in shown
    assert f"✓ Film club, ID {club.id}" in shown
    assert "/setprivacy" in shown
    assert not any(secret in shown for secret in ("hush", services.token, NEMO_TOKEN))
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    settings = load_settings(env_file)
    assert settings.telegram_bot_token
    assert settings.telegram_bot_token.get_secret_value() == services.token
    assert (settings.allowed_users, settings.allowed_chats, settings.admins) == (
        (ann.id,),
        (club.id,),
        (ann.id,),
    )
    assert (settings.daily_jobs_per_person, settings.daily_credits) == (7, 0)


async def test_guests_and_everybody_need_two_answers_and_nothing_was_taken_from_the_bot(
    services: Services, tmp_path: Path
) -> None:
    terminal = Terminal(services.token, "", "n")
    async with People(services.people_url) as people:
        ann = await people.person("Ann")
        await ann.start()
        await terminal.run(tmp_path / ".env")
        assert len(services.telegram.bots[services.token].queue.pending) == 1
    assert "ALLOWED" not in (tmp_path / ".env").read_text("utf-8")
    with pytest.raises(CannotInit, match="exists"):
        await terminal.run(tmp_path / ".env")


async def test_without_a_terminal_the_environment_is_checked_and_written(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        set_up = SetUp(load_settings(None), SystemClock(), None, lambda _: None)
        await set_up.run(tmp_path / ".env")

    with pytest.raises(CannotInit, match="TELEGRAM_BOT_TOKEN"):
        await run()
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", services.token)
    monkeypatch.setenv("NEMO_TOKEN", NEMO_TOKEN)
    with pytest.raises(CannotInit, match="NemoVideo refuses"):
        await run()
    await add_account(services, 990)
    monkeypatch.setenv("DAILY_CREDITS", "500")
    await run()
    written = load_settings(tmp_path / ".env")
    assert written == load_settings(None)
    assert "DAILY_CREDITS=500" in (tmp_path / ".env").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [("/start abc", True), ("/start@film_bot abc", True), ("abc", True), ("/start abcd", False), ("", False)],
)
def test_only_the_code_pairs(text: str, pairs: bool) -> None:
    message = {"text": text, "from": {"id": 7, "first_name": "Ann"}, "chat": {"id": 7, "type": "private"}}
    assert (read_pairing(message, "abc") is not None) is pairs
    assert read_pairing({"text": text, "chat": {"id": -1, "type": "channel"}}, "abc") is None


def test_what_only_botfather_can_change_is_said_while_it_needs_changing() -> None:
    wrong = {"can_join_groups": False, "can_read_all_group_messages": False}
    switches = ("supports_inline_queries", "supports_guest_queries", "has_topics_enabled")
    right = dict.fromkeys(("can_join_groups", "can_read_all_group_messages", *switches), True)
    assert len(at_botfather(wrong)) == 5
    assert at_botfather(right) == []
