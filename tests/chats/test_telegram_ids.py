import pytest
from redis.asyncio import Redis

from bot.chats.telegram_ids import TelegramIds

GROUP, SUPERGROUP = -1_000_042, -1_001_000_000_042


async def test_a_group_that_moved_is_found_from_both_ids_however_often_it_is_told(redis: Redis) -> None:
    telegram_ids = TelegramIds(redis)
    for _ in range(2):
        await telegram_ids.moved(GROUP, SUPERGROUP)
        assert await telegram_ids.telegram_chat_id(GROUP) == SUPERGROUP
        assert await telegram_ids.kept_as(SUPERGROUP) == GROUP
    assert await telegram_ids.telegram_chat_id(SUPERGROUP) == SUPERGROUP
    assert await telegram_ids.kept_as(GROUP) == GROUP


@pytest.mark.parametrize("chat_id", [4711, GROUP, SUPERGROUP])
async def test_what_has_not_moved_is_where_it_is(redis: Redis, chat_id: int) -> None:
    telegram_ids = TelegramIds(redis)
    assert await telegram_ids.telegram_chat_id(chat_id) == chat_id
    assert await telegram_ids.kept_as(chat_id) == chat_id
