"""Tokens, links and languages as people meet them: the whole bot against both stand-ins, and what it leaves behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from redis.asyncio import Redis

from bot.chats.chats import STORED_NAMES
from bot.chats.key import ChatKey
from bot.jobs.model import STORED_JOB
from bot.jobs.queue.fields import JobField
from bot.jobs.queue.packed_request import unpack
from bot.sandbox.botapi.client import ChatHandle, People, Person, Seen
from bot.sandbox.nemovideo.accounts import Account
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.running import running_bot
from bot.sandbox.services import Services, serve_services
from bot.sandbox.skipping_clock import SkippingClock
from bot.sandbox.stage import until
from bot.store import keys
from bot.store.connect import Store
from tests.clocks import PATIENCE_S

SECRET = "nmv_usr_the-secret-of-ada"
OPERATOR = "nmv_usr_the-secret-of-the-operator"


@dataclass
class Town:
    """Two people, both services, and a store that bots come and go on."""

    clock: SkippingClock
    services: Services
    people: People
    nemo: NemoControl
    ada: Person
    bo: Person
    redis_url: str
    directory: Path

    @contextlib.asynccontextmanager
    async def bot(self, **settings: Any) -> AsyncIterator[None]:
        url = SecretStr(self.redis_url)
        async with running_bot(
            self.services,
            self.directory,
            self.clock,
            redis_url=url,
            **settings,
        ):
            yield

    async def said(
        self, person: Person, *pieces: str, chat: ChatHandle | None = None, count: int = 1
    ) -> Seen:
        """Wait for the bot's latest message that has all the pieces."""

        def latest(there: list[Seen]) -> Seen | None:
            fitting = [seen for seen in there if all(piece in seen.text for piece in pieces)]
            return fitting[-1] if len(fitting) >= count else None

        return await until(
            chat or person.chat, self.services.telegram.shown, latest, PATIENCE_S, " ".join(pieces)
        )

    async def gone(self, message: Seen, chat: ChatHandle) -> None:
        """Wait until a message of somebody's is deleted."""
        async with asyncio.timeout(PATIENCE_S):
            while message.id in [seen.id for seen in await chat.messages()]:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.02)

    async def own(self, **fields: Any) -> Account:
        return await self.nemo.add_account(token=SECRET, **fields)

    async def everything(self) -> str:
        """All keys and values of the store, docket's included, as they lie there, and what packed requests hold."""
        found = []
        async with Redis.from_url(self.redis_url) as redis:
            async for key in redis.scan_iter("*"):
                kind: Any = await redis.type(key)
                if (read := _READ.get(kind.decode())) is not None:  # It may have ended meanwhile.
                    value = await read(redis, key)
                    found.append(f"{key!r}: {value!r}")
                    if isinstance(value, dict) and (packed := value.get(JobField.REQUEST.encode())):
                        found.append(STORED_JOB.dump_json(unpack(packed.decode())).decode())
        return "\n".join(found)

    async def sent(self) -> str:
        """Every call that the bot made to Telegram."""
        return str(await self.people.calls())


OWN_TOKEN = f"b'{STORED_NAMES['own_token']}': "  # as `Town.everything` shows a field

_READ: dict[str, Any] = {
    "string": lambda redis, key: redis.get(key),
    "hash": lambda redis, key: redis.hgetall(key),
    "list": lambda redis, key: redis.lrange(key, 0, -1),
    "set": lambda redis, key: redis.smembers(key),
    "zset": lambda redis, key: redis.zrange(key, 0, -1, withscores=True),
    "stream": lambda redis, key: redis.xrange(key),
}


@pytest.fixture
async def town(store: Store, store_url: str, tmp_path: Path) -> AsyncIterator[Town]:
    clock = SkippingClock(5, starts_at=datetime.now(UTC).replace(hour=12))
    async with (
        clock.running(store.redis.ping),
        serve_services(tmp_path / "services", clock, flood_limits=None) as services,
        People(services.people_url, app=services.telegram_app) as people,
        NemoControl(services.nemo_control_url, services.nemo_app) as nemo,
    ):
        await nemo.set(pace={"text_s": 0.02, "edit_s": 0.02, "generate_s": 0.02}, anonymous_credits=1000)
        ada, bo = await people.person("Ada"), await people.person("Bo", language_code="zh-hans")
        await ada.open()
        await bo.open()
        yield Town(clock, services, people, nemo, ada, bo, store_url, tmp_path / "bot")
        await nemo.reset()


async def test_a_token_is_nowhere_to_be_read(town: Town) -> None:
    await town.own(credits=321)
    with structlog.testing.capture_logs() as logs:
        async with town.bot():
            hold = await town.nemo.hold("message")
            await town.ada.say("make a 1 second video of a cat")
            await town.nemo.reached(hold)
            # The login waits behind the request, as a job in the store; its message is deleted all the same.
            message = await town.ada.say(f"/login {SECRET}")
            await town.gone(message, town.ada.chat)
            waiting = await town.everything()
            await town.nemo.release(hold)
            await town.said(town.ada, "your own NemoVideo account", "321")
            await town.ada.say("/credits")
            await town.said(town.ada, "These credits belong to your own")
            kept = await town.everything()
    assert '"kind":"login"' in waiting
    assert OWN_TOKEN in kept
    guests = [account.token for account in await town.nemo.accounts() if account.plan == "anonymous"]
    assert guests
    for token in (SECRET, *guests):
        assert token not in waiting
        assert token not in kept
        assert token not in await town.sent()
        assert token not in str(logs)
        assert not [request for request in await town.nemo.requests() if token in str(request)]


@pytest.mark.parametrize(
    "text", ["/login {}", "/login@sandbox_bot  {}", "{}", "use my token {}, please", "/login{}"]
)
async def test_wherever_a_token_stands_it_logs_in_and_goes_no_further(town: Town, text: str) -> None:
    await town.own()
    async with town.bot():
        message = await town.ada.say(text.format(SECRET))
        await town.said(town.ada, "your own NemoVideo account")
        await town.gone(message, town.ada.chat)
        kept = await town.everything()
    assert SECRET not in kept
    assert SECRET not in await town.sent()
    assert await town.nemo.messages() == []


@pytest.mark.parametrize(("status", "says"), [(None, "doesn't accept"), (502, "can't be reached")])
async def test_the_message_is_deleted_also_when_the_check_fails(
    town: Town, status: int | None, says: str
) -> None:
    if status is not None:
        await town.nemo.fault("credits", status=status, times=-1)
    async with town.bot():
        message = await town.ada.say(f"/login {SECRET}")
        await town.said(town.ada, says)
        await town.gone(message, town.ada.chat)
        assert OWN_TOKEN not in await town.everything()


async def test_a_login_is_tried_again_by_its_button(town: Town) -> None:
    await town.own(credits=55)
    await town.nemo.fault("credits", status=502, times=3)
    async with town.bot():
        await town.ada.say(f"/login {SECRET}")
        failed = await town.said(town.ada, "can't be reached")
        await town.ada.press(failed, "Try again")
        await town.said(town.ada, "your own NemoVideo account", "55")


async def test_a_message_with_a_token_is_deleted_however_much_is_waiting(town: Town) -> None:
    async with town.bot(queue_limit=1):
        hold = await town.nemo.hold("message")
        await town.ada.say("make a 1 second video of a cat")
        await town.nemo.reached(hold)
        await town.ada.say("make a 1 second video of a dog")
        await town.said(town.ada, "in the queue")
        message = await town.ada.say(f"/login {SECRET}")
        await town.said(town.ada, "queue is full")
        await town.gone(message, town.ada.chat)
        await town.nemo.release(hold)
        await town.said(town.ada, "made in", count=2)


@pytest.mark.parametrize("may_delete", [True, False])
async def test_a_token_in_a_group_is_not_used(town: Town, may_delete: bool) -> None:
    await town.own()
    club = await town.people.new_chat(
        "supergroup", "Club", town.ada, town.bo, bot="administrator" if may_delete else "member"
    )
    async with town.bot():
        message = await town.ada.say(f"/login {SECRET}", club)
        told = await town.said(
            town.ada, "I deleted your message" if may_delete else "delete it yourself", chat=club
        )
        kept = await town.everything()
    assert "create a new" in told.text
    (button,) = told.json["reply_markup"]["inline_keyboard"][0]
    assert button["url"] == "https://t.me/sandbox_bot?start=login"
    assert (message.id in [seen.id for seen in await club.messages()]) is not may_delete
    assert SECRET not in kept
    assert OWN_TOKEN not in kept
    assert not [request for request in await town.nemo.requests() if request.endpoint == "credits"]


async def test_a_token_that_the_operator_sets_later_begins_a_new_project_and_is_told(town: Town) -> None:
    await town.nemo.add_account(token=OPERATOR)
    async with town.bot():
        await town.ada.say("make a 1 second video of a cat")
        await town.said(town.ada, "made in")
    async with town.bot(nemo_token=SecretStr(OPERATOR)):
        await town.ada.say("make a 1 second video of a dog")
        await town.said(town.ada, "can't open the earlier project")
        await town.said(town.ada, "made in", count=2)
        kept = await town.everything()
    assert len(await town.nemo.sessions()) == 2
    assert OPERATOR not in kept


async def test_a_link_is_never_in_a_group(town: Town) -> None:
    club = await town.people.new_chat("supergroup", "Club", town.ada, town.bo)
    async with town.bot():
        await town.bo.say("/edit make a 1 second video of a cat", club)
        await town.said(town.bo, "用时", chat=club)
        await town.bo.say("/link", club)
        await town.said(town.bo, "只有群管理员", chat=club)
        assert not [request for request in await town.nemo.requests() if request.endpoint == "claim-token"]
        await town.ada.say("/link", club, sent_as="anonymous")
        kept = await town.said(town.ada, "to see it in our private chat", chat=club)
        payload = str((await town.ada.press(kept, "private chat") or {})["url"]).partition("?start=")[2]
        await town.bo.start(payload)
        await town.said(town.bo, "这条消息只给提问的人看")
        assert "clm_" not in await town.everything()
        await town.ada.say("/link", club)
        given = await town.said(town.ada, "your group's project")
        await town.said(town.ada, "in our private chat", chat=club)
        (project,) = await town.nemo.sessions()
        there = str([seen.versions for seen in await club.messages(deleted=True)])
    (claim,) = project.claim_tokens
    assert claim in str(given.json)
    assert "claim" not in there
    assert "bind=" not in there


async def test_the_link_is_asked_for_once_for_many_videos_and_its_secret_is_encrypted(town: Town) -> None:
    async with town.bot():
        await town.ada.say("make a 1 second video of a cat")
        first = await town.said(town.ada, "made in")
        await town.ada.say('add the title "One"')
        second = await town.said(town.ada, "made in", count=2)
        kept = await town.everything()
    (project,) = await town.nemo.sessions()
    (claim,) = project.claim_tokens
    assert f"{town.services.nemo_url}/workspace/claim?ct={claim}" in str(first.json)
    assert claim in str(second.json)
    assert claim not in kept


async def test_a_link_that_takes_too_long_or_fails_holds_no_video_up(town: Town) -> None:
    await town.nemo.fault("claim-token", drop=True, times=-1)
    async with town.bot():
        await town.ada.say("make a 1 second video of a cat")
        video = await town.said(town.ada, "made in")
    assert "Open in browser" not in " ".join(video.buttons)


async def test_a_chosen_language_counts_for_the_project_too_and_survives(town: Town) -> None:
    async with town.bot():
        await town.ada.say("/language")
        menu = await town.said(town.ada, "Choose a language")
        await town.ada.press(menu, "简体中文")
        await town.said(town.ada, "选择语言")
    async with town.bot():
        await town.ada.say("make a 1 second video of a cat")
        await town.said(town.ada, "用时")
        (project,) = await town.nemo.sessions()
        assert project.language == "zh-CN"
        await town.ada.say("/start")
        await town.said(town.ada, "你好")


async def test_to_write_is_no_choice_of_a_language(town: Town) -> None:
    club = await town.people.new_chat("supergroup", "Club", town.ada, town.bo)
    async with town.bot():
        await town.ada.say("/credits", club)
        await town.said(town.ada, "No account yet", chat=club)
        await town.bo.say("/credits", club)
        await town.said(town.bo, "还没有账号", chat=club)


async def test_the_press_of_a_forged_language_changes_nothing(town: Town, redis: Redis) -> None:
    async with town.bot():
        await town.ada.say("/language")
        menu = await town.said(town.ada, "Choose a language")
        await town.ada.press(menu, data="1:language:xx")
    assert await redis.hget(keys.chat_key(str(ChatKey(town.ada.id))), STORED_NAMES["language"]) is None


async def test_whatever_is_kept_of_a_chat_ends_some_time(town: Town) -> None:
    swept = (keys.QUEUES, keys.ENDED_JOBS)  # what they list is taken out in time
    for_ever = (keys.SCHEMA, keys.CIPHER_MARKER, keys.MENU, keys.POLLING_LOCK, keys.DOCKET, *swept)
    async with town.bot():
        await town.ada.say("make a 1 second video of a cat")
        await town.said(town.ada, "made in")
        await town.ada.say("/credits")
        await town.said(town.ada, "credits available")
        async with Redis.from_url(town.redis_url, decode_responses=True) as redis:
            async with asyncio.timeout(PATIENCE_S):
                while await redis.zcard(keys.STARTED_JOBS):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.02)
            found = [key async for key in redis.scan_iter("*") if await redis.ttl(key) == -1]
    assert [key for key in found if not key.startswith(for_ever)] == []
