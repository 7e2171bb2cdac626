import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.chats.project_list import MAX_PROJECTS, ListedProject, ProjectList
from bot.store.keys import projects_key

KEY = ChatKey(-100123, 45)
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
TTL_S = 1000


@pytest.fixture
def projects(redis: Redis) -> ProjectList:
    return ProjectList(redis, TTL_S)


def project(number: int, **fields: str | int) -> ListedProject:
    return ListedProject(session_id=f"session-{number}", used_at=NOW + timedelta(minutes=number)).model_copy(
        update=fields
    )


async def test_the_newest_comes_first_and_the_oldest_goes(projects: ProjectList, redis: Redis) -> None:
    for number in range(MAX_PROJECTS + 2):
        await projects.save(KEY, project(number))
    listed = await projects.all(KEY)
    assert [one.session_id for one in listed] == [
        f"session-{number}" for number in reversed(range(2, MAX_PROJECTS + 2))
    ]
    assert 0 < await redis.ttl(projects_key(str(KEY))) <= TTL_S


async def test_fields_that_are_not_given_keep_their_values(projects: ProjectList) -> None:
    first = ListedProject(session_id="s", used_at=NOW, account="own", duration_ms=2000)
    renamed = ListedProject(session_id="s", used_at=NOW, name="Lake")
    longer = ListedProject(session_id="s", used_at=NOW, duration_ms=3000)
    await projects.save(KEY, first)
    await asyncio.gather(projects.save(KEY, renamed), projects.save(KEY, longer))
    expected = first.model_copy(update={"name": "Lake", "duration_ms": 3000, "topic_id": KEY.topic_id})
    assert await projects.find(KEY, first.mark) == expected
    assert await projects.find(ChatKey(-100123), first.mark) is None


async def test_what_is_deleted_is_gone(projects: ProjectList, redis: Redis) -> None:
    await projects.save(KEY, project(1))
    await projects.delete(KEY, project(1).mark)
    await projects.delete(KEY, project(1).mark)
    assert await redis.keys() == []


async def test_a_full_list_stays_small(projects: ProjectList, redis: Redis) -> None:
    for number in range(MAX_PROJECTS):
        listed = project(number, session_id=f"{number:064}", task_id="7" * 36, name="名" * 40)
        await projects.save(
            KEY, listed.model_copy(update={"account": "anonymous", "project_epoch": "0" * 16})
        )
    size_bytes = await redis.memory_usage(projects_key(str(KEY)), samples=0)
    assert size_bytes is not None
    assert size_bytes < MAX_PROJECTS * 600
