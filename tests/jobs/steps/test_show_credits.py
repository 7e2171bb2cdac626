import json
from typing import Any

import pytest

from bot.jobs.messages import ListMessage, LocalizedMessage, PrivateMessage
from bot.jobs.steps.show_credits import ShowCredits
from bot.jobs.worker.attempt import JobEnded
from tests.jobs.steps.conftest import Rig


async def show(rig: Rig, data: Any) -> None:
    await rig.open_project()
    body = json.dumps({"code": 0, "data": data})
    await rig.nemo.fault("credits", times=-1, body=body, content_type="application/json")
    await ShowCredits(rig.projects)(rig.attempt(rig.job()))


@pytest.mark.parametrize("data", [None, {}, {"available": None, "frozen": 5}, {"available": "many"}, [100]])
async def test_credits_that_the_answer_does_not_name_are_not_told_to_be_none(rig: Rig, data: Any) -> None:
    with pytest.raises(JobEnded) as ended:
        await show(rig, data)
    assert isinstance(ended.value.message, LocalizedMessage)
    assert ended.value.message.key == "credits.unknown"


@pytest.mark.parametrize(
    ("data", "available", "total"),
    [({"available": "60"}, 60, 60), ({"total": 80, "frozen": 20}, 60, 80), ({"available": 0}, 0, 0)],
)
async def test_what_is_missing_follows_from_the_rest(rig: Rig, data: Any, available: int, total: int) -> None:
    await show(rig, data)
    shown = rig.responder.sent["credits"]
    assert isinstance(shown, PrivateMessage)
    assert isinstance(shown.message, ListMessage)
    params = shown.message.heading.params
    assert (params["available"], params["total"]) == (available, total)
