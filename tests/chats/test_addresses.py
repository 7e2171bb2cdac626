import pytest
from redis.asyncio import Redis

from bot.chats.addresses import Addresses

GROUP, SUPERGROUP = -1_000_042, -1_001_000_000_042


async def test_a_group_that_moved_is_found_from_both_ids_however_often_it_is_told(redis: Redis) -> None:
    addresses = Addresses(redis)
    for _ in range(2):
        await addresses.moved(GROUP, SUPERGROUP)
        assert await addresses.address(GROUP) == SUPERGROUP
        assert await addresses.kept_as(SUPERGROUP) == GROUP
    assert await addresses.address(SUPERGROUP) == SUPERGROUP
    assert await addresses.kept_as(GROUP) == GROUP


@pytest.mark.parametrize("chat_id", [4711, GROUP, SUPERGROUP])
async def test_what_has_not_moved_is_where_it_is(redis: Redis, chat_id: int) -> None:
    addresses = Addresses(redis)
    assert await addresses.address(chat_id) == chat_id
    assert await addresses.kept_as(chat_id) == chat_id
