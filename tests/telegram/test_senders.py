from typing import Any

import pytest
from telegram import ChatMember, ChatPermissions

from bot.telegram.reading.addressing import may_write


def restricted(*, is_member: bool, may_send: bool) -> dict[str, Any]:
    rights = ChatPermissions.no_permissions().to_dict() | {"can_send_messages": may_send}
    return {"status": "restricted", "is_member": is_member, "until_date": 0, **rights}


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        pytest.param({"status": "member"}, True, id="member"),
        pytest.param(restricted(is_member=True, may_send=True), True, id="restricted"),
        pytest.param(restricted(is_member=True, may_send=False), False, id="muted"),
        pytest.param(restricted(is_member=False, may_send=True), False, id="restricted and left"),
        pytest.param({"status": "left"}, False, id="left"),
        pytest.param({"status": "kicked", "until_date": 0}, False, id="removed"),
    ],
)
def test_only_a_member_with_the_right_to_send_may_write(member: dict[str, Any], expected: bool) -> None:
    user = {"id": 1, "is_bot": True, "first_name": "Bot"}
    assert may_write(ChatMember.de_json({**member, "user": user}, None)) is expected
