"""Guest mode at the stand-in: a message calls the bot, which answers once and edits its answer."""

from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.botapi.client import ChatHandle, Person

from .conftest import HandClock, Sandbox, Start

GONE = "Bad Request: query is too old and response timeout expired or query ID is invalid"
BUTTONS = {"inline_keyboard": [[{"text": "Stop", "callback_data": "stop"}]]}


def article(text: str) -> dict[str, Any]:
    """Return the result that becomes a text."""
    content = {"message_text": text}
    return {
        "type": "article",
        "id": "a",
        "title": "x",
        "input_message_content": content,
        "reply_markup": BUTTONS,
    }


async def called(
    sandbox: Sandbox, words: str = "@sandbox_bot shorter"
) -> tuple[Person, ChatHandle, list[Any]]:
    """Let somebody write in a group that the bot is not in; return them, the group and the bot's updates."""
    ada = await sandbox.people.person("Ada")
    await sandbox.people.ask("set_bot", guest=True)
    friends = await sandbox.people.new_chat("supergroup", "Friends", ada, bot="")
    first = await ada.say("look", friends)
    await ada.say(words, friends, reply_to=first.id)
    return (
        ada,
        friends,
        list(await sandbox.bot.get_updates(allowed_updates=["guest_message", "callback_query"])),
    )


async def test_who_is_named_is_called_with_the_message_that_was_answered(sandbox: Sandbox) -> None:
    ada, friends, (update,) = await called(sandbox)
    message = update.guest_message
    assert message.guest_query_id
    assert (message.chat.id, message.from_user.id) == (friends.id, ada.id)
    assert (message.text, message.reply_to_message.text) == ("@sandbox_bot shorter", "look")
    assert (await sandbox.bot.get_me()).supports_guest_queries


@pytest.mark.parametrize("words", ["shorter", "@sandbox_bots shorter", "sandbox_bot"])
async def test_who_is_not_named_is_not_called(sandbox: Sandbox, words: str) -> None:
    assert (await called(sandbox, words))[2] == []


async def test_an_answer_is_edited_by_its_inline_id(sandbox: Sandbox, tmp_path: Path) -> None:
    ada, friends, (update,) = await called(sandbox)
    query_id = update.guest_message.guest_query_id
    answer = await sandbox.call("answerGuestQuery", guest_query_id=query_id, result=article("Working"))
    inline_id = answer["result"]["inline_message_id"]
    (sent,) = await friends.messages(from_bots=True)
    assert (sent.text, sent.buttons) == ("Working", ["Stop"])
    assert sent.json["guest_bot_caller_user"]["id"] == ada.id
    edit = await sandbox.call(
        "editMessageText", inline_message_id=inline_id, text="Half", reply_markup=BUTTONS
    )
    assert edit["result"] is True
    pressed = await sandbox.people.ask("press", chat=friends.id, message=sent.id, user=ada.id, button="Stop")
    assert pressed["callback"]
    (press,) = await sandbox.bot.get_updates(update.update_id + 1)
    assert press.callback_query is not None
    assert (press.callback_query.inline_message_id, press.callback_query.message) == (inline_id, None)

    await ada.open()
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"no clip")
    video = (await sandbox.bot.send_video(ada.id, file, duration=1)).effective_attachment
    media = {"type": "video", "media": video.file_id, "caption": "Done"}  # type: ignore[union-attr]
    assert (await sandbox.call("editMessageMedia", inline_message_id=inline_id, media=media))["ok"]
    (now,) = await friends.messages(from_bots=True)
    assert ("video" in now.json, now.text, now.buttons) == (True, "Done", [])


async def test_what_is_refused(start: Start) -> None:
    clock = HandClock()
    sandbox = await start(clock=clock)
    _, _, (update,) = await called(sandbox)
    query: dict[str, Any] = {"guest_query_id": update.guest_message.guest_query_id}
    assert await sandbox.refusal("answerGuestQuery", **query, result={}) == "Bad Request: RESULT_ID_INVALID"
    answer = await sandbox.call("answerGuestQuery", **query, result=article("x"))
    inline = {"inline_message_id": answer["result"]["inline_message_id"]}
    assert await sandbox.refusal("answerGuestQuery", **query, result=article("x")) == GONE
    assert await sandbox.refusal("answerGuestQuery", guest_query_id="1", result=article("x")) == GONE
    upload = {"type": "video", "media": "attach://file"}
    refusal = await sandbox.refusal("editMessageMedia", **inline, media=upload)
    assert refusal == "Bad Request: Invalid message content specified"
    unknown = await sandbox.refusal("editMessageText", inline_message_id="x", text="y")
    assert unknown == "Bad Request: MESSAGE_ID_INVALID"
    same = await sandbox.refusal("editMessageText", **inline, text="x", reply_markup=BUTTONS)
    assert same.startswith("Bad Request: message is not modified")
    _, _, (*_, late) = await called(sandbox)
    clock.pass_time(31)
    late_id = late.guest_message.guest_query_id
    assert await sandbox.refusal("answerGuestQuery", guest_query_id=late_id, result=article("x")) == GONE
