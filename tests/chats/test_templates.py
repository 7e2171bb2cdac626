from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.chats.templates import (
    MAX_TEMPLATE_NAME_CHARS,
    MAX_TEMPLATE_PROMPT_CHARS,
    MAX_TEMPLATES,
    Template,
    Templates,
)
from bot.store.keys import templates_key

GROUP, TOPIC = ChatKey(-100123), ChatKey(-100123, 45)
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def templates(redis: Redis) -> Templates:
    return Templates(redis, 1000)


def template(number: int, prompt: str = "trim it") -> Template:
    return Template(name=f"shorts {number}", prompt=prompt, saved_at=NOW + timedelta(minutes=number))


async def test_topics_share_them_and_the_newest_comes_first(templates: Templates, redis: Redis) -> None:
    for number in range(3):
        assert await templates.save(TOPIC, template(number))
    assert await templates.all(GROUP) == [template(2), template(1), template(0)]
    await redis.expire(templates_key(str(GROUP)), 5)
    assert await templates.find(TOPIC, template(1).mark) == template(1)
    assert await redis.ttl(templates_key(str(GROUP))) > 5
    await templates.delete(GROUP, template(1).mark)
    assert await templates.find(GROUP, template(1).mark) is None


async def test_a_name_is_taken_once_whatever_its_case(templates: Templates) -> None:
    await templates.save(GROUP, template(1))
    renamed = template(1, "add a title").model_copy(update={"name": "Shorts 1"})
    await templates.save(GROUP, renamed)
    assert await templates.all(GROUP) == [renamed]


async def test_there_is_room_for_so_many(templates: Templates, redis: Redis) -> None:
    prompt, name = "剪" * MAX_TEMPLATE_PROMPT_CHARS, "名" * (MAX_TEMPLATE_NAME_CHARS - 2)
    for number in range(MAX_TEMPLATES):
        full = template(number, prompt).model_copy(update={"name": f"{name}{number:02}"})
        assert await templates.save(GROUP, full)
    assert not await templates.save(GROUP, template(99))
    assert await templates.save(GROUP, full)
    size_bytes = await redis.memory_usage(templates_key(str(GROUP)), samples=0)
    assert size_bytes is not None
    assert size_bytes < MAX_TEMPLATES * 7500
