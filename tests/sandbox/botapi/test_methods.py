"""The published method list against the stand-in."""

from bot.sandbox.botapi.method_names import METHOD_NAMES
from bot.sandbox.botapi.methods import METHODS

from .conftest import Sandbox

MISSING = frozenset(
    [
        "answerGuestQuery",
        "answerInlineQuery",
        "getMyDefaultAdministratorRights",
        "hideGeneralForumTopic",
        "savePreparedInlineMessage",
        "savePreparedKeyboardButton",
        "sendLivePhoto",
        "sendPaidMedia",
        "sendRichMessage",
        "sendRichMessageDraft",
        "setMyDefaultAdministratorRights",
        "unhideGeneralForumTopic",
        "unpinAllGeneralForumTopicMessages",
    ]
)
"""Documented methods that the stand-in answers like unknown ones."""


async def test_every_documented_method_is_implemented_refused_or_known_to_be_missing(
    sandbox: Sandbox,
) -> None:
    found = await sandbox.people.ask("methods")
    assert set(found["missing"]) == MISSING
    assert {one.name for one in METHODS.values()} <= METHOD_NAMES


async def test_refusals_name_what_the_stand_in_has_not(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    assert await sandbox.refusal("getStickerSet", name="x") == "Bad Request: STICKERSET_INVALID"
    words = "Bad Request: not enough rights to restrict/unrestrict chat member"
    assert await sandbox.refusal("banChatMember", chat_id=ada.id, user_id=ada.id) == words
    assert await sandbox.refusal("banChatMember", chat_id=1) == "Bad Request: chat not found"


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
