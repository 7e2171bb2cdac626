"""Who counts as whoever asked, and what is done in doubt."""

from unittest.mock import AsyncMock

import pytest
from telegram import Update

from bot.telegram.handlers.permissions import Permissions, is_channel, is_own
from tests.telegram.test_handlers import ANN, GROUP, PRIVATE, Json, message

CHANNEL: Json = {"id": -1007, "type": "channel", "title": "News"}


def update_of(chat: Json, sender_chat: Json | None = None) -> Update:
    given = {"from": ANN, **({"sender_chat": sender_chat} if sender_chat else {})}
    return Update.de_json({"update_id": 1, **message("stop", chat, **given)}, None)


@pytest.mark.parametrize(
    ("update", "requester_id", "expected"),
    [
        (update_of(PRIVATE), 99, True),
        (update_of(GROUP), ANN["id"], True),
        (update_of(GROUP), 99, False),
        (update_of(GROUP, GROUP), 99, True),  # An admin who writes in the group's name.
        (update_of(GROUP, CHANNEL), CHANNEL["id"], True),
        (update_of(GROUP, CHANNEL), ANN["id"], False),
    ],
)
def test_whose_it_is_is_known_without_telegrams_list(
    update: Update, requester_id: int, expected: bool
) -> None:
    assert is_own(update, requester_id) is expected


@pytest.mark.parametrize(
    ("requester_id", "expected"),
    [(CHANNEL["id"], True), (GROUP["id"], False), (ANN["id"], False), (None, False)],
)
def test_neither_people_nor_the_group_itself_are_a_channel(requester_id: int | None, expected: bool) -> None:
    assert is_channel(update_of(GROUP), requester_id) is expected


async def test_in_doubt_nobody_is_an_admin() -> None:
    admins = AsyncMock(is_admin=AsyncMock(side_effect=TimeoutError))
    assert not await Permissions(admins).may_change(update_of(GROUP), 99)
