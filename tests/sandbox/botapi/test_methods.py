"""The published method list against the stand-in."""

from typing import Any

from bot.sandbox.botapi.method_names import METHOD_NAMES
from bot.sandbox.botapi.methods import METHODS

from .conftest import Sandbox


async def test_every_documented_method_is_implemented_or_refused(sandbox: Sandbox) -> None:
    found = await sandbox.people.ask("methods")
    assert found["missing"] == []
    assert {one.name for one in METHODS.values()} <= METHOD_NAMES


async def test_refusals_name_what_the_stand_in_has_not(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    assert await sandbox.refusal("getStickerSet", name="x") == "Bad Request: STICKERSET_INVALID"
    words = "Bad Request: not enough rights to restrict/unrestrict chat member"
    assert await sandbox.refusal("banChatMember", chat_id=ada.id, user_id=ada.id) == words
    assert await sandbox.refusal("banChatMember", chat_id=1) == "Bad Request: chat not found"


async def test_an_admin_does_what_others_are_refused(sandbox: Sandbox) -> None:
    ada, bob = await sandbox.people.person(), await sandbox.people.person()
    group = await sandbox.people.new_chat("supergroup", "Cut", ada, bob, is_forum=True)
    here: dict[str, Any] = {"chat_id": group.id}
    words = "Bad Request: not enough rights to restrict/unrestrict chat member"
    assert await sandbox.refusal("banChatMember", **here, user_id=bob.id) == words
    assert await sandbox.refusal("setChatTitle", **here, title="x") == (
        "Bad Request: not enough rights to change chat title"
    )

    await group.add_bot(admin=True)

    async def status(user_id: int) -> str:
        found = await sandbox.call("getChatMember", **here, user_id=user_id)
        return str(found["result"]["status"])

    steps: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("restrictChatMember", {"permissions": {"can_send_messages": True}}, "restricted"),
        ("promoteChatMember", {"can_pin_messages": True}, "administrator"),
        ("promoteChatMember", {}, "member"),
        ("banChatMember", {}, "kicked"),
        ("unbanChatMember", {"only_if_banned": True}, "left"),
    )
    for method, fields, expected in steps:
        assert (await sandbox.call(method, **here, user_id=bob.id, **fields))["ok"]
        assert await status(bob.id) == expected
    assert await sandbox.refusal("banChatMember", **here, user_id=ada.id) == (
        "Bad Request: can't remove chat owner"
    )
    await sandbox.call("setChatTitle", **here, title="Cut 2")
    assert (await sandbox.call("getChat", **here))["result"]["title"] == "Cut 2"
    made = (await sandbox.call("createChatInviteLink", **here))["result"]
    revoked = (await sandbox.call("revokeChatInviteLink", **here, invite_link=made["invite_link"]))["result"]
    assert (made["is_revoked"], revoked["is_revoked"]) == (False, True)
    assert (await sandbox.call("hideGeneralForumTopic", **here))["ok"]
    assert await sandbox.refusal("hideGeneralForumTopic", **here) == "Bad Request: TOPIC_NOT_MODIFIED"
    assert (await sandbox.call("unhideGeneralForumTopic", **here))["ok"]
    assert (await sandbox.call("unpinAllGeneralForumTopicMessages", **here))["ok"]


async def test_default_rights_of_an_admin_are_kept(sandbox: Sandbox) -> None:
    await sandbox.call("setMyDefaultAdministratorRights", rights={"can_manage_chat": True}, for_channels=True)
    rights = (await sandbox.call("getMyDefaultAdministratorRights", for_channels=True))["result"]
    assert (rights["can_manage_chat"], rights["can_invite_users"]) == (True, False)
    others = (await sandbox.call("getMyDefaultAdministratorRights"))["result"]
    assert others["can_manage_chat"] is False


async def test_a_poll_is_stopped_once(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    poll = (await sandbox.call("sendPoll", chat_id=ada.id, question="?", options=["a", "b"]))["result"]
    here = {"chat_id": ada.id, "message_id": poll["message_id"]}
    assert (await sandbox.call("stopPoll", **here))["result"]["is_closed"]
    assert await sandbox.refusal("stopPoll", **here) == "Bad Request: poll has already been closed"


async def test_quotes(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    said = await ada.say("😀 first, second")
    reply = {"message_id": said.id, "quote": "second"}
    sent = (await sandbox.call("sendMessage", chat_id=ada.id, text="x", reply_parameters=reply))["result"]
    assert sent["quote"] == {"text": "second", "position": 10, "is_manual": True}
    reply["quote"] = "third"
    words = await sandbox.refusal("sendMessage", chat_id=ada.id, text="x", reply_parameters=reply)
    assert words == "Bad Request: QUOTE_TEXT_INVALID"
    answer = await ada.say("this one", reply_to=said.id, quote="first")
    assert answer.json["quote"]["position"] == 3


async def test_topics_in_private_chats(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    words = "Bad Request: the chat is not a forum"
    assert await sandbox.refusal("createForumTopic", chat_id=ada.id, name="Trip") == words
    await sandbox.people.ask("set_bot", topics=True)
    thread = (await sandbox.call("createForumTopic", chat_id=ada.id, name="Trip"))["result"]
    where = {"chat_id": ada.id, "message_thread_id": thread["message_thread_id"]}
    sent = (await sandbox.call("sendMessage", **where, text="x"))["result"]
    assert sent["is_topic_message"]
    said = await ada.say("y", thread=thread["message_thread_id"])
    assert said.json["message_thread_id"] == thread["message_thread_id"]
    same = await sandbox.refusal("editForumTopic", **where, name="Trip")
    assert same == "Bad Request: TOPIC_NOT_MODIFIED"
    assert (await sandbox.call("deleteForumTopic", **where))["ok"]
    assert await sandbox.refusal("sendMessage", **where, text="x") == "Bad Request: message thread not found"


async def test_topics_in_forums_need_the_right(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    forum = await sandbox.people.new_chat("supergroup", "Forum", ada, is_forum=True)
    words = "Bad Request: not enough rights to manage topics"
    assert await sandbox.refusal("createForumTopic", chat_id=forum.id, name="Trip") == words
    await forum.set_member(forum.bot, "administrator", silent=True)
    thread = (await sandbox.call("createForumTopic", chat_id=forum.id, name="Trip"))["result"]
    where = {"chat_id": forum.id, "message_thread_id": thread["message_thread_id"]}
    assert (await sandbox.call("closeForumTopic", **where))["ok"]
    assert await sandbox.refusal("sendMessage", **where, text="x") == "Bad Request: TOPIC_CLOSED"
    assert (await sandbox.call("reopenForumTopic", **where))["ok"]
