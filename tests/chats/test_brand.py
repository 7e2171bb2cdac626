import pytest
from redis.asyncio import Redis

from bot.chats.brand import Brand, BrandPart, Brands
from bot.chats.key import ChatKey
from bot.chats.project_file import ProjectFile
from bot.store.keys import brand_key

GROUP, TOPIC = ChatKey(-100123), ChatKey(-100123, 45)
LOGO = ProjectFile(
    telegram_chat_id=-100123,
    message_id=7,
    session_id="",
    name="logo.png",
    file_id="f" * 80,
    kind="document",
    size_bytes=20_000,
    content_type="image/png",
    unique_id="u" * 16,
)


@pytest.fixture
def brands(redis: Redis) -> Brands:
    return Brands(redis, 1000)


async def test_topics_share_a_brand_which_is_kept_while_it_is_used(brands: Brands, redis: Redis) -> None:
    await brands.set_file(TOPIC, BrandPart.LOGO, LOGO)
    await brands.set_ratio(GROUP, "9:16")
    await redis.expire(brand_key(str(GROUP)), 5)
    assert await brands.load(TOPIC) == Brand(ratio="9:16", files={BrandPart.LOGO: LOGO})
    assert await redis.ttl(brand_key(str(GROUP))) > 5
    assert len(str(await redis.hgetall(brand_key(str(GROUP))))) < 400  # bytes


async def test_nothing_is_stored_where_nothing_is_set(brands: Brands, redis: Redis) -> None:
    assert await brands.load(GROUP) == Brand()
    await brands.set_file(GROUP, BrandPart.LOGO, LOGO)
    await brands.set_ratio(GROUP, "1:1")
    await brands.set_file(GROUP, BrandPart.LOGO, None)
    await brands.set_ratio(GROUP, "")
    assert await brands.load(GROUP) == Brand()
    assert not await redis.exists(brand_key(str(GROUP)))
