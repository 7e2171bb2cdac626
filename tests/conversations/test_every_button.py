"""Every button of the messages that a new person sees is pressed, in both languages: none leads nowhere."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.jobs.buttons import RunExample, unpack
from bot.sandbox import player
from bot.sandbox.botapi.client import Person, Seen
from bot.sandbox.conversation import read_conversation
from bot.sandbox.stage import LOOK_AGAIN_S, PATIENCE_S, Unmet
from bot.store.connect import Store
from bot.words import Words

pytestmark = pytest.mark.heavy

SCRIPT = """
title: Every button
settings: {{NEMO_TOKEN: nmv_usr_operator, DAILY_JOBS_PER_PERSON: 0, DAILY_JOBS_PER_CHAT: 0, QUEUE_LIMIT: 500}}
accounts: {{nmv_usr_operator: {{credits: 100000}}}}
people: {{Ann: {{language: {language}}}}}
steps:
  - Ann: {{says: /start}}
  - Ann: {{says: /help}}
  - Ann: {{says: /settings}}
  - Ann: {{says: /skill}}
  - Ann: {{says: /language}}
  - Ann: {{says: /credits}}
  - Ann: {{says: /login}}
  - Ann: {{says: /link}}
  - Ann: {{sends: {{name: beach.mp4, seconds: 2}}}}
  - bot: {{idle: true}}
  - Ann: {{sends: {{name: beach.mp4, seconds: 3}}, caption: "{request}"}}
  - bot: {{sends: {{}}}}
  - bot: {{idle: true}}
  - Ann: {{says: /status}}
  - Ann: {{says: /projects}}
  - Ann: {{says: /history}}
  - Ann: {{says: /templates}}
  - Ann: {{says: /new}}
  - Ann: {{says: /forget}}
  - bot: {{idle: true}}
"""
MOST_PRESSES = 150
DEAD_ENDS = ("toast.old_button", "toast.prompt_gone", "toast.skill_gone")
REFUSALS = (
    "error.unexpected",
    "error.queue_full",
    "quota.over_jobs_person",
    "error.no_credits_operator",
    "extract.failed",
)
# Pressed once the others were: they take away what those need.
LATE_STYLE = "danger"


class Crawler(player.Player):
    """Plays a conversation, then presses each button of the bot once."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.language = next(iter(self._conversation.people.values())).language or "en"
        self.pressed: set[str] = set()
        self.failures: list[str] = []

    async def play(self) -> None:
        """See ``Player``."""
        await super().play()
        words = Words(self.language)
        dead_ends = {words.plain(key) for key in DEAD_ENDS}
        member = next(iter(self._stage.members.values()))
        async with httpx.AsyncClient(follow_redirects=True) as http:
            while (found := await self._next(member)) and len(self.pressed) < MOST_PRESSES:
                message, button = found
                self.pressed.add(name_of(button))
                if "url" in button:
                    await self._follow_link(http, button)
                    continue
                before = await snapshot(member)
                answer = await member.press(message, data=button["callback_data"])
                await self._wait_until_idle(60)
                toast = str((answer or {}).get("text") or "")
                if answer is None:
                    self.failures.append(f"{button['text']}: no answer")
                elif toast in dead_ends:
                    self.failures.append(f"{button['text']}: {toast}")
                elif not toast and not is_chosen(button) and not await self._changes(member, before):
                    self.failures.append(f"{button['text']}: nothing happened")
        starts = {words.plain(key, n=1, anew_in="").partition("{")[0][:12] for key in REFUSALS}
        messages = await member.chat.messages(from_bots=True, deleted=True)
        for message in messages:
            if message.text.startswith(tuple(starts)):
                self.failures.append(f"the bot said: {message.text}")
        if self.failures:
            raise Unmet("\n".join(self.failures))

    async def _changes(self, member: Person, before: list[Any]) -> bool:
        """Wait for what a press leads to: it may be made by a job that has just begun."""
        ends_s = time.monotonic() + PATIENCE_S
        while before == await snapshot(member):
            if time.monotonic() > ends_s:
                return False
            await asyncio.sleep(LOOK_AGAIN_S)
        return True

    async def _next(self, member: Person) -> tuple[Seen, dict[str, Any]] | None:
        late = None
        for message in await member.chat.messages(from_bots=True):
            for row in message.json.get("reply_markup", {}).get("inline_keyboard", []):
                for button in row:
                    if name_of(button) in self.pressed or not {"url", "callback_data"} & button.keys():
                        continue
                    if button.get("style") != LATE_STYLE:
                        return message, button
                    late = late or (message, button)
        return late

    async def _follow_link(self, http: httpx.AsyncClient, button: dict[str, Any]) -> None:
        if not button["url"].startswith("http://127.0.0.1"):
            return  # Telegram's own, such as sharing.
        answer = await http.get(button["url"])
        if not answer.is_success:
            self.failures.append(f"{button['text']}: {button['url']} gives {answer.status_code}")


def name_of(button: dict[str, Any]) -> str:
    """What stands for a button; versions and positions are alike, and so are examples: each costs a generation."""
    if isinstance(unpack(button.get("callback_data")), RunExample):
        return "example"
    return re.sub(r"\d+", "", button["text"])


def is_chosen(button: dict[str, Any]) -> bool:
    """Whether a button is the choice that holds already, which pressing does not change."""
    return str(button["text"]).startswith("✅")


async def snapshot(member: Person) -> list[tuple[int, str | None, int]]:
    messages = await member.chat.messages(from_bots=True, deleted=True)
    return [(one.id, one.deleted_at, len(one.versions)) for one in messages]


@pytest.mark.parametrize(("language", "request_"), [("en", "trim it to 2 seconds"), ("zh-hans", "剪到 2 秒")])
async def test_no_button_leads_nowhere(
    language: str, request_: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawlers: list[Crawler] = []

    def crawler(*args: Any) -> Crawler:
        crawlers.append(Crawler(*args))
        return crawlers[0]

    monkeypatch.setattr(player, "Player", crawler)
    file = tmp_path / "crawl.yaml"
    file.write_text(SCRIPT.format(language=language, request=request_), encoding="utf-8")
    (tmp_path / "work").mkdir()
    assert await player.play(read_conversation(file), tmp_path / "out", tmp_path / "work", store.url) is None
    assert len(crawlers[0].pressed) > 40
