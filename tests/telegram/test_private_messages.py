"""The link by which a person gets what waits for them alone."""

import pytest

from bot.chats.key import ChatKey
from bot.jobs.payloads import PrivateAnswerPayload
from bot.telegram.sending.private_messages import read_payload, start_payload
from tests.jobs.conftest import new_job


@pytest.mark.parametrize("chat", [ChatKey(-1001234567890), ChatKey(-1001234567890, 5), ChatKey(-77)])
def test_a_link_leads_to_its_job_and_topic(chat: ChatKey) -> None:
    job = new_job(chat=chat)
    payload = start_payload(job)
    assert len(payload) <= 64  # What Telegram takes behind ``?start=``.
    assert read_payload(payload) == PrivateAnswerPayload(chat=str(chat), job_id=job.id)


@pytest.mark.parametrize(
    "payload",
    ["", "see_-77", "see_-77_5", "see_-77_0123456789abcdef:x", "see_x_0123456789abcdef", "see_-77_5_*"],
)
def test_a_forged_link_leads_nowhere(payload: str) -> None:
    assert read_payload(payload) is None
