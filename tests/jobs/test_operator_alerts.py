"""Alerts: one message a problem for each admin, kept up to date, and closed when the problem is over."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.chats.chats import Chats
from bot.chats.key import ChatKey
from bot.chats.token_cipher import TokenCipher
from bot.jobs.checkpoints import PREPARED_MESSAGE, MessageSend, SentMessage, field_of
from bot.jobs.messages import ListMessage, LocalizedMessage
from bot.jobs.model import JobState, QueueName
from bot.jobs.payloads import MessagePayload
from bot.jobs.queue.alert_checks import credits_alert, disk_alert, guests_alert
from bot.jobs.queue.job_queue import JobQueue
from bot.jobs.queue.operator_alerts import OperatorAlerts
from bot.jobs.queue.tickets import queue_id
from bot.store import keys
from bot.telegram.sending.formatting import format_list
from bot.words import Words
from tests.clocks import HandClock

ANN, BO = 5, 6
POLLER = LocalizedMessage("alert.another_poller")
HOUR = timedelta(hours=1).total_seconds()


class Admins:
    """The admins' chats: what was sent there, and what it shows now."""

    alerts: OperatorAlerts

    def __init__(self, redis: Redis, job_queue: JobQueue, clock: HandClock) -> None:
        self.redis, self.job_queue, self.clock = redis, job_queue, clock
        self.sent: list[tuple[int, str]] = []
        self.shows: dict[int, str] = {}
        self.edits = 0
        self.unknown_to: set[int] = set()  # whose messages have left without an answer of Telegram

    async def take(self) -> None:
        """Run the jobs that send alerts, as a worker does, and bring the messages up to date."""
        for admin in (ANN, BO):
            name = queue_id(ChatKey(admin), QueueName.QUICK)
            while (claimed := await self.job_queue.claim(name, "t")) is not None:
                message = claimed.job.payload_as(MessagePayload).message
                assert isinstance(message, LocalizedMessage)
                self.sent.append((admin, message.key))
                number = len(self.sent)
                self.shows[number] = format_list(Words("en"), ListMessage(message, ()))
                is_known = admin not in self.unknown_to
                send = MessageSend(
                    sent=SentMessage(message_id=number, telegram_chat_id=admin) if is_known else None
                )
                await self.job_queue.save(
                    claimed, {field_of(MessageSend, PREPARED_MESSAGE): send.model_dump(mode="json")}
                )
                await self.job_queue.finish(claimed, JobState.DONE)
        await self.alerts.update()

    async def show(self, sent: SentMessage, view: ListMessage, language: str) -> None:
        assert self.sent[sent.message_id - 1][0] == sent.telegram_chat_id
        self.edits += 1
        self.shows[sent.message_id] = format_list(Words(language), view)

    async def send(self, admin: int, message: LocalizedMessage, language: str) -> SentMessage | None:
        self.sent.append((admin, message.key))
        return SentMessage(message_id=len(self.sent), telegram_chat_id=admin)

    async def later(self, by_s: float) -> None:
        await self.clock.advance(by_s)
        await self.take()


@pytest.fixture
def admins(redis: Redis, job_queue: JobQueue, clock: HandClock) -> Admins:
    return Admins(redis, job_queue, clock)


@pytest.fixture
def alerts(
    redis: Redis, job_queue: JobQueue, clock: HandClock, admins: Admins, tmp_path: Path
) -> OperatorAlerts:
    chats = Chats(redis, TokenCipher.open(["a" * 43 + "="], tmp_path))
    admins.alerts = OperatorAlerts(redis, job_queue, chats, clock, [ANN, BO], admins)
    return admins.alerts


async def test_a_problem_is_one_message_which_is_edited_and_closed(
    alerts: OperatorAlerts, admins: Admins, clock: HandClock
) -> None:
    await alerts.send("another_poller", POLLER)
    await admins.take()
    assert admins.sent == [(ANN, POLLER.key), (BO, POLLER.key)]
    assert admins.edits == 0
    for _ in range(3):
        await clock.advance(60)
        await alerts.send("another_poller", POLLER)
    await admins.take()
    assert len(admins.sent) == 2
    assert "4 times" in admins.shows[1]
    await alerts.clear("another_poller")
    await admins.later(60)
    assert "Another program is using" in admins.shows[2]
    assert "✅ Resolved" in admins.shows[2]
    assert "3 min" in admins.shows[2]


async def test_a_message_of_which_nobody_knows_whether_it_arrived_holds_up_no_other_admins(
    alerts: OperatorAlerts, admins: Admins
) -> None:
    admins.unknown_to = {ANN}
    await alerts.send("another_poller", POLLER)
    await admins.take()
    await alerts.clear("another_poller")
    await admins.later(60)
    assert "✅ Resolved" in admins.shows[2]
    assert "✅ Resolved" not in admins.shows[1]


async def test_a_problem_that_comes_back_within_the_hour_has_the_same_message_and_later_another(
    redis: Redis, alerts: OperatorAlerts, admins: Admins
) -> None:
    for minutes in (0, 10, 30):
        await admins.later(60 * minutes)
        await alerts.send("another_poller", POLLER)
        await admins.take()
        await alerts.clear("another_poller")
        await admins.take()
    assert len(admins.sent) == 2
    await admins.later(30 * 60)
    assert not await redis.hlen(keys.ALERTS), "it is over for good"
    await alerts.send("another_poller", POLLER)
    await admins.take()
    assert len(admins.sent) == 4
    assert "✅" in admins.shows[1]
    assert "✅" not in admins.shows[3]


async def test_what_does_not_show_for_long_is_over(alerts: OperatorAlerts, admins: Admins) -> None:
    given_up, refused = LocalizedMessage("alert.job_given_up"), LocalizedMessage("alert.token_refused")
    await alerts.send("job_given_up", given_up)
    await alerts.send("token_refused", refused)
    await admins.take()
    await admins.later(HOUR + 60)
    over = {admins.sent[number - 1][1] for number, text in admins.shows.items() if "✅" in text}
    assert over == {given_up.key}


async def test_what_can_be_looked_at_is_not_counted_and_follows_its_figures(
    alerts: OperatorAlerts, admins: Admins
) -> None:
    for left in (90, 90, 40):
        await alerts.watch("credits_left", credits_alert(left))
        await admins.later(20)
    assert len(admins.sent) == 2
    assert admins.edits == 2
    assert "40 credits" in admins.shows[1]
    assert "times" not in admins.shows[1]
    await alerts.watch("credits_left", credits_alert(5000))
    await admins.take()
    assert "✅ Resolved" in admins.shows[1]


async def test_each_admin_turns_alerts_off_alone(alerts: OperatorAlerts, admins: Admins) -> None:
    await alerts.switch(BO, on=False)
    assert (await alerts.is_on(ANN), await alerts.is_on(BO)) == (True, False)
    await alerts.send("another_poller", POLLER)
    await admins.take()
    assert admins.sent == [(ANN, POLLER.key)]
    await alerts.switch(BO, on=True)
    assert await alerts.is_on(BO)


async def test_a_store_that_takes_no_writes_is_told_once_and_when_it_is_over(
    redis: Redis, alerts: OperatorAlerts, admins: Admins
) -> None:
    async def check() -> None:
        pass

    await alerts.check_once(check)
    before: Any = await redis.config_get("maxmemory")
    await redis.config_set("maxmemory", "1")
    try:
        for _ in range(3):
            await alerts.check_once(check)
    finally:
        await redis.config_set("maxmemory", before["maxmemory"])
    assert admins.sent == [(ANN, "alert.store_refuses"), (BO, "alert.store_refuses")]
    assert admins.edits == 0
    await admins.clock.advance(120)
    for _ in range(2):
        await alerts.check_once(check)
    assert admins.edits == 2
    assert "✅ Resolved" in admins.shows[1]


async def test_two_processes_that_see_a_problem_at_once_send_one_message(
    redis: Redis, alerts: OperatorAlerts, admins: Admins, clock: HandClock
) -> None:
    await alerts.send("another_poller", POLLER)
    await redis.delete(keys.ALERTS)
    await clock.advance(1)
    await alerts.send("another_poller", POLLER)
    await admins.take()
    assert len(admins.sent) == 2


async def test_what_is_stored_and_is_no_problem_holds_up_no_other(
    redis: Redis, alerts: OperatorAlerts, admins: Admins
) -> None:
    await redis.hset(keys.ALERTS, mapping={"junk": "{", "more": "[]"})
    await alerts.send("another_poller", POLLER)
    await alerts.send("another_poller", POLLER)
    await admins.take()
    assert admins.edits == 2
    assert await redis.hkeys(keys.ALERTS) == ["another_poller"]


@pytest.mark.parametrize(
    ("message", "key"),
    [
        (guests_alert(7), None),
        (guests_alert(8), "alert.guests_low"),
        (credits_alert(None), None),
        (credits_alert(100), None),
        (credits_alert(99), "alert.credits_low"),
        (credits_alert(0), "alert.credits_gone"),
        (disk_alert(10**9), None),
        (disk_alert(10**6), "alert.disk_full"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_problem_is_told_in_both_languages(message: Any, key: str | None, language: str) -> None:
    assert (None if message is None else message.key) == key
    if message is not None:
        assert "{" not in format_list(Words(language), ListMessage(message, ()))
