"""A refused token of the operator: who goes on with it, and until when."""

from unittest.mock import AsyncMock

import pytest
from redis.asyncio import Redis

from bot.projects.operator_token import OperatorToken
from bot.store import keys


@pytest.mark.parametrize("falls_back_to_guests", [True, False])
async def test_a_refused_token_is_passed_over_where_guest_accounts_take_its_place(
    redis: Redis, *, falls_back_to_guests: bool
) -> None:
    token = OperatorToken(redis, "nmv_usr_a", falls_back_to_guests=falls_back_to_guests, alert=AsyncMock())
    assert await token.usable() == "nmv_usr_a"
    await token.note_refused()
    assert await token.usable() == (None if falls_back_to_guests else "nmv_usr_a")


async def test_a_token_that_takes_the_place_of_a_refused_one_is_used(redis: Redis) -> None:
    await OperatorToken(redis, "nmv_usr_a", falls_back_to_guests=True, alert=AsyncMock()).note_refused()
    renewed = OperatorToken(redis, "nmv_usr_b", falls_back_to_guests=True, alert=AsyncMock())
    assert await renewed.usable() == "nmv_usr_b"


async def test_a_refusal_is_forgotten_some_time_and_keeps_no_token(redis: Redis) -> None:
    await OperatorToken(redis, "nmv_usr_a", falls_back_to_guests=True, alert=AsyncMock()).note_refused()
    assert 0 < await redis.ttl(keys.OPERATOR_TOKEN_REFUSED) <= keys.OPERATOR_TOKEN_REFUSED_TTL_S
    assert "nmv" not in str(await redis.get(keys.OPERATOR_TOKEN_REFUSED))
