from statistics import median

from redis.asyncio import Redis

from bot.jobs.queue.usual_times import BEFORE_LEARNING_S, KEPT, UsualTimes, Work
from bot.store import keys


async def test_the_documents_are_believed_until_a_few_have_finished(redis: Redis) -> None:
    usual_times = UsualTimes(redis)
    assert await usual_times.load() == BEFORE_LEARNING_S
    await usual_times.learn(Work.RENDER, 200)
    await usual_times.learn(Work.RENDER, 210)
    assert (await usual_times.load())[Work.RENDER] == BEFORE_LEARNING_S[Work.RENDER]
    await usual_times.learn(Work.RENDER, 5000)  # one that hung
    learned = await usual_times.load()
    assert median(learned[Work.RENDER]) == 210
    assert learned[Work.EDIT] == BEFORE_LEARNING_S[Work.EDIT]


async def test_only_the_newest_are_kept(redis: Redis) -> None:
    usual_times = UsualTimes(redis)
    for number in range(2 * KEPT):
        await usual_times.learn(Work.EDIT, number)
    assert await redis.llen(keys.usual_times_key(Work.EDIT)) == KEPT
    assert (await usual_times.load())[Work.EDIT] == tuple(range(2 * KEPT - 1, KEPT - 1, -1))
