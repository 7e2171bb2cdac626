"""The cached list of a group's admins."""

from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.telegram.sending.group_admins import RECHECK_AFTER_S, CachedGroupAdmins
from tests.telegram.conftest import Telegram


async def test_a_new_admin_is_known_as_soon_as_the_list_may_be_fetched_again(
    telegram: Telegram, redis: Redis
) -> None:
    ada, bo = [await telegram.people.person(name) for name in ("Ada", "Bo")]
    group = await telegram.people.new_chat("supergroup", "Film club", ada, bo)
    clock = telegram.clock
    admins, chat = CachedGroupAdmins(telegram.telegram_calls, redis), ChatKey(group.id)
    assert not await admins.is_admin(chat, bo.id)
    await group.set_member(bo.id, "administrator", by=ada)
    await clock.advance(RECHECK_AFTER_S - 0.1)
    assert not await admins.is_admin(chat, bo.id)
    assert await admins.is_admin(chat, ada.id)
    await clock.advance(0.1)
    assert await admins.is_admin(chat, bo.id)
    assert await admins.is_admin(chat, group.id)  # Who writes as the group is one of its admins.
    assert len(await telegram.people.calls("getChatAdministrators")) == 2
    clock.set_wall(-3600)
    assert not await admins.is_admin(chat, 0)
    assert len(await telegram.people.calls("getChatAdministrators")) == 3
