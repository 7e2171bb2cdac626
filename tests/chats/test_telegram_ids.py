import pytest
from redis.asyncio import Redis

from bot.chats.telegram_ids import TelegramIds

GROUP, SUPERGROUP = -1_000_042, -1_001_000_000_042


@pytest.mark.parametrize("group", [GROUP, -5_000_000_042])
async def test_a_migrated_group_is_found_by_both_ids_however_often_it_is_recorded(
    redis: Redis, group: int
) -> None:
    telegram_ids = TelegramIds(redis)
    for _ in range(2):
        await telegram_ids.record_migration(group, SUPERGROUP)
        assert await telegram_ids.telegram_chat_id(group) == SUPERGROUP
        assert await telegram_ids.stored_id(SUPERGROUP) == group
    assert await telegram_ids.telegram_chat_id(SUPERGROUP) == SUPERGROUP
    assert await telegram_ids.stored_id(group) == group


@pytest.mark.parametrize("chat_id", [4711, GROUP, SUPERGROUP])
async def test_a_chat_that_has_not_migrated_keeps_its_id(redis: Redis, chat_id: int) -> None:
    telegram_ids = TelegramIds(redis)
    assert await telegram_ids.telegram_chat_id(chat_id) == chat_id
    assert await telegram_ids.stored_id(chat_id) == chat_id
