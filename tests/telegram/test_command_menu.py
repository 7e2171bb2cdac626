import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from telegram import BotCommandScopeAllPrivateChats, BotCommandScopeChat
from telegram.ext import CommandHandler

from bot.job_types import OPERATOR_COMMANDS
from bot.telegram.handlers.admin import AdminCommands
from bot.telegram.handlers.button_presses import ButtonPresses
from bot.telegram.handlers.handler_family import HandlerServices
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.registration import register_handlers
from bot.telegram.receiving.application import AnyApplication, new_application
from bot.telegram.sending.command_menu import COMMANDS, START_PAUSE_S, CommandMenu
from bot.words import Words, languages
from tests.telegram.conftest import Telegram

METHODS = ("setMyCommands", "setMyDescription", "setMyShortDescription")
PARTS = len(languages()) * (len(COMMANDS) + 2)

Settle = Callable[[CommandMenu], Awaitable[None]]


@pytest.fixture
def settle(telegram: Telegram) -> Settle:
    """Runs a menu to its end, in as much time as it takes."""

    async def run(menu: CommandMenu) -> None:
        task = asyncio.create_task(menu.run())
        while not task.done():
            await telegram.clock.advance(1)
            await asyncio.wait({task}, timeout=0.01)
        task.result()

    return run


async def test_each_kind_of_chat_has_its_commands_in_each_language(
    telegram: Telegram, redis: Redis, settle: Settle
) -> None:
    await settle(CommandMenu(telegram.bot, redis, telegram.clock))
    for language in languages():
        for scope, names in COMMANDS.items():
            code = None if language == "en" else language
            there = await telegram.bot.get_my_commands(scope=scope, language_code=code)
            told = [(one.command, one.description) for one in there]
            assert told == [(name, Words(language).plain(f"command.{name}")) for name in names]
        assert (await telegram.bot.get_my_description(code)).description
        assert (await telegram.bot.get_my_short_description(code)).short_description


async def test_every_command_that_there_is_stands_in_the_menu_of_those_who_may(
    telegram: Telegram, redis: Redis
) -> None:
    application, of_admins = [new_application(telegram.bot, telegram.telegram_ids) for _ in range(2)]
    unused = cast(Any, None)
    submitter = JobSubmitter(*[unused] * 7)
    rest = (
        submitter,
        unused,
        unused,
        unused,
        unused,
        ButtonPresses(unused, unused),
        unused,
        "",
        unused,
        (5,),
    )
    register_handlers(HandlerServices(application, *rest))
    AdminCommands(HandlerServices(of_admins, *rest)).register()
    # Telegram has a button for the one, and the list of projects for the other.
    everybodys = _commands_of(application) - _commands_of(of_admins) - {"start", "rename"}
    shown = {scope.type: set(names) for scope, names in COMMANDS.items()}
    only_private, only_admins = {"login", "logout"}, {"link", "forget"}
    assert shown == {
        "all_private_chats": everybodys,
        "all_group_chats": everybodys - only_private - only_admins,
        "all_chat_administrators": everybodys - only_private,
    }
    assert set(OPERATOR_COMMANDS) == _commands_of(of_admins)


def _commands_of(application: AnyApplication) -> set[str]:
    every = [handler for group in application.handlers.values() for handler in group]
    return {name for one in every if isinstance(one, CommandHandler) for name in one.commands}


async def test_those_who_run_the_bot_see_their_commands_as_long_as_they_do(
    telegram: Telegram, redis: Redis, settle: Settle
) -> None:
    ada, bo = [await telegram.people.person(name) for name in ("Ada", "Bo")]
    await ada.start()
    await settle(CommandMenu(telegram.bot, redis, telegram.clock, (ada.id, bo.id)))
    scope = BotCommandScopeChat(ada.id)
    everything = {*COMMANDS[BotCommandScopeAllPrivateChats()], *OPERATOR_COMMANDS}
    for code in (None, "zh"):
        there = await telegram.bot.get_my_commands(scope=scope, language_code=code)
        assert {one.command for one in there} == everything

    await bo.start()
    await settle(CommandMenu(telegram.bot, redis, telegram.clock, (bo.id,)))
    for code in (None, "zh"):
        assert await telegram.bot.get_my_commands(scope=scope, language_code=code) == ()
        assert await telegram.bot.get_my_commands(scope=BotCommandScopeChat(bo.id), language_code=code)


async def test_what_is_set_already_is_not_set_again(telegram: Telegram, redis: Redis, settle: Settle) -> None:
    for _ in range(3):
        await settle(CommandMenu(telegram.bot, redis, telegram.clock))
    assert len(await telegram.people.calls(*METHODS)) == PARTS


async def test_only_what_changed_is_set(
    telegram: Telegram, redis: Redis, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settle(CommandMenu(telegram.bot, redis, telegram.clock))
    scope = next(iter(COMMANDS))
    monkeypatch.setitem(COMMANDS, scope, ("help",))
    await settle(CommandMenu(telegram.bot, redis, telegram.clock))
    again = (await telegram.people.calls(*METHODS))[PARTS:]
    assert [call["method"] for call in again] == ["setMyCommands"] * len(languages())
    assert all(scope.type in json.dumps(call["params"]) for call in again)


async def test_of_many_processes_one_sets_it(telegram: Telegram, redis: Redis, settle: Settle) -> None:
    menus = [CommandMenu(telegram.bot, redis, telegram.clock) for _ in range(5)]
    await asyncio.gather(*(settle(menu) for menu in menus))
    assert len(await telegram.people.calls(*METHODS)) == PARTS


@pytest.mark.parametrize("retry_after", [None, 30])
async def test_a_refusal_is_waited_out_and_nothing_set_twice(
    telegram: Telegram, redis: Redis, settle: Settle, retry_after: int | None
) -> None:
    code = 500 if retry_after is None else 429
    options: dict[str, Any] = {} if retry_after is None else {"retry_after": retry_after}
    await telegram.people.faults.error("setMyCommands", code=code, description="later", times=2, **options)
    began_s = telegram.clock.monotonic_s()
    await settle(CommandMenu(telegram.bot, redis, telegram.clock))
    assert telegram.clock.monotonic_s() - began_s >= (2 * retry_after if retry_after else 10)
    assert len(await telegram.people.calls(*METHODS)) == PARTS + 2


async def test_a_process_that_died_in_the_middle_is_followed_by_the_next(
    telegram: Telegram, redis: Redis, settle: Settle
) -> None:
    await telegram.people.faults.error("setMyDescription", code=500, description="away", times=1)
    dying = asyncio.create_task(CommandMenu(telegram.bot, redis, telegram.clock).run())
    await telegram.clock.advance(START_PAUSE_S)
    await telegram.people.wait_calls("setMyDescription")
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    await settle(CommandMenu(telegram.bot, redis, telegram.clock))
    assert len(await telegram.people.calls(*METHODS)) == PARTS + 1
