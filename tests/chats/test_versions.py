from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from bot.chats.key import ChatKey
from bot.chats.project_list import MAX_PROJECTS, ListedProject, ProjectList, project_mark
from bot.chats.versions import MAX_DRAFT_BYTES, MAX_VERSIONS, Version, Versions, pack_draft
from bot.nemo.drafts import Draft, read_draft
from bot.store.keys import versions_key

KEY = ChatKey(4711)
NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
MARK = project_mark("session")


@pytest.fixture
def versions(redis: Redis) -> Versions:
    return Versions(redis, 1000)


def draft(segments: int = 1, **fields: object) -> Draft:
    segment = {"start": 0, "duration": 2000, "name": "beach.mp4", "src": "https://cdn.example/beach.mp4"}
    tracks = [{"tt": 0, "sg": [{**segment, "id": f"{number:032x}"} for number in range(segments)]}]
    return read_draft({"t": tracks, "d": 2000, "m": {"width": 1920, "height": 1080}, **fields})


def version(job: int | None, of: Draft | None = None) -> Version:
    made = of or draft()
    return Version(
        number=0 if job is None else 1,
        job_id="" if job is None else f"{job:016x}",
        words="" if job is None else "make the title bigger and the music softer",
        made_at=NOW,
        draft_digest=made.digest(),
        packed_draft=pack_draft(made),
    )


async def numbers(versions: Versions) -> list[int]:
    return [one.number for one in await versions.all(KEY, MARK)]


async def test_a_request_makes_one_version_behind_what_was_there_before(versions: Versions) -> None:
    for _ in range(2):  # Its second attempt adds nothing.
        await versions.add(KEY, MARK, version(None), version(1))
    await versions.add(KEY, MARK, version(None), version(2))
    assert await numbers(versions) == [0, 1, 2]


async def test_a_project_that_began_empty_has_no_version_0(versions: Versions) -> None:
    await versions.add(KEY, MARK, version(1))
    await versions.add(KEY, MARK, version(None), version(2))
    assert await numbers(versions) == [1, 2]


async def test_the_oldest_go_and_the_numbers_stay(versions: Versions) -> None:
    for job in range(MAX_VERSIONS + 3):
        await versions.add(KEY, MARK, version(job))
    assert await numbers(versions) == list(range(4, MAX_VERSIONS + 4))


async def test_a_video_belongs_to_every_version_with_its_draft(versions: Versions) -> None:
    for job, length in ((1, 2000), (2, 3000), (3, 2000)):
        await versions.add(KEY, MARK, version(job, draft(d=length)))
    await versions.save_video(KEY, MARK, draft(d=2000).digest(), "video-1", "video", "cover-1")
    await versions.save_video(KEY, MARK, draft(d=2000).digest(), "video-1", "video", "")
    shown = [(one.file_id, one.picture_id) for one in await versions.all(KEY, MARK)]
    assert shown == [("video-1", "cover-1"), ("", ""), ("video-1", "cover-1")]


def test_a_draft_is_read_back_as_it_was() -> None:
    packed = version(1, draft(3, title="你好 \ud83d\ude00"))
    assert packed.draft is not None
    assert packed.draft.digest() == packed.draft_digest


def test_a_draft_that_is_too_large_is_left_out() -> None:
    assert len(pack_draft(draft(100))) < MAX_DRAFT_BYTES
    assert version(1, draft(20_000)).draft is None


async def test_versions_go_with_their_project(versions: Versions, redis: Redis) -> None:
    projects = ProjectList(redis, 1000)
    await projects.save(KEY, ListedProject(session_id="session", used_at=NOW))
    await versions.add(KEY, MARK, version(1))
    await projects.delete(KEY, MARK)
    assert await numbers(versions) == []
    await projects.save(KEY, ListedProject(session_id="session", used_at=NOW))
    await versions.add(KEY, MARK, version(1))
    for number in range(MAX_PROJECTS):
        later = NOW.replace(hour=13, minute=number)
        await projects.save(KEY, ListedProject(session_id=f"later-{number}", used_at=later))
    assert await numbers(versions) == []


async def test_a_project_with_all_its_versions_stays_small(versions: Versions, redis: Redis) -> None:
    for job in range(MAX_VERSIONS):
        await versions.add(KEY, MARK, version(job, draft(8, n=job)))
        await versions.save_video(KEY, MARK, draft(8, n=job).digest(), "B" * 72, "video", "A" * 72)
    size_bytes = await redis.memory_usage(versions_key(str(KEY), MARK), samples=0)
    assert size_bytes is not None
    assert size_bytes < MAX_VERSIONS * 900


async def test_what_was_before_the_first_change_is_no_version_later_on(versions: Versions) -> None:
    for job in range(1, MAX_VERSIONS + 2):
        await versions.add(KEY, MARK, version(None), version(job))
    assert await numbers(versions) == list(range(2, MAX_VERSIONS + 2))


async def test_a_video_goes_to_the_version_of_its_draft_alone(versions: Versions) -> None:
    made = draft(2)
    await versions.add(KEY, MARK, version(1, made))
    await versions.add(KEY, MARK, version(2).model_copy(update={"words": f"go back to {made.digest()}"}))
    await versions.save_video(KEY, MARK, made.digest(), "video-1", "video", "")
    assert [one.file_id for one in await versions.all(KEY, MARK)] == ["video-1", ""]
