import pytest
from redis.asyncio import Redis

from bot.chats.access_control import AccessControl, AccessDenied
from bot.store import keys

ADMIN, ANN, BO, CLUB, OTHER = 1, 2, 3, -10, -20


def closed(redis: Redis) -> AccessControl:
    return AccessControl(redis, users=[ANN], chats=[CLUB], admins=[ADMIN])


@pytest.mark.parametrize(
    ("person", "chat", "refused"),
    [
        (ANN, ANN, None),
        (ANN, OTHER, None),
        (BO, CLUB, None),
        (CLUB, CLUB, None),  # an anonymous admin
        (ADMIN, OTHER, None),
        (BO, BO, AccessDenied.CLOSED),
        (BO, OTHER, AccessDenied.CLOSED),
        (OTHER, OTHER, AccessDenied.CLOSED),
    ],
)
async def test_lists_admit_their_people_everywhere_and_everyone_in_their_chats(
    redis: Redis, person: int, chat: int, refused: AccessDenied | None
) -> None:
    assert await closed(redis).why_denied(person, chat) is refused


async def test_without_lists_everyone_may(redis: Redis) -> None:
    assert await AccessControl(redis, [], [], [ADMIN]).why_denied(BO, OTHER) is None


@pytest.mark.parametrize(("someone", "person", "chat"), [(BO, BO, BO), (BO, BO, CLUB), (CLUB, ANN, CLUB)])
async def test_a_ban_counts_for_every_process_and_before_any_list(
    redis: Redis, someone: int, person: int, chat: int
) -> None:
    assert await closed(redis).ban(someone)
    assert await closed(redis).why_denied(person, chat) is AccessDenied.BANNED
    assert await closed(redis).unban(someone)
    assert await closed(redis).why_denied(person, chat) is not AccessDenied.BANNED
    assert not await closed(redis).unban(someone)


async def test_admins_of_the_bot_cant_be_banned(redis: Redis) -> None:
    assert not await closed(redis).ban(ADMIN)
    await closed(redis).ban(CLUB)
    assert await closed(redis).why_denied(ADMIN, CLUB) is None


async def test_a_chat_gets_one_refusal_a_day_and_the_same_for_a_redelivered_update(redis: Redis) -> None:
    access = closed(redis)
    assert [await access.may_send_refusal(BO, update) for update in (7, 7, 8)] == [True, True, False]
    assert await access.may_send_refusal(OTHER, 8)
    assert 0 < await redis.ttl(keys.access_denied_key(str(BO))) <= keys.ACCESS_DENIED_TTL_S


@pytest.mark.parametrize("ids", [(CLUB, OTHER), (OTHER, CLUB)])
async def test_a_group_that_moved_counts_under_both_of_its_ids(redis: Redis, ids: tuple[int, int]) -> None:
    access = closed(redis)
    assert await access.why_denied(BO, *ids) is None
    await access.ban(CLUB)
    assert await access.why_denied(BO, *ids) is AccessDenied.BANNED
