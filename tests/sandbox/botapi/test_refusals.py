"""Every refusal in Telegram's own words, over raw HTTP."""

from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.botapi import DEFAULT_TOKEN
from bot.sandbox.botapi.files import CLOUD_UPLOAD_BYTES

from .conftest import HandClock, Sandbox, Start

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


def inline(data: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}


TEXTS: list[tuple[dict[str, Any], str]] = [
    ({"text": ""}, "Bad Request: message text is empty"),
    ({"text": "  \n "}, "Bad Request: message text is empty"),
    ({"text": "<b></b>", "parse_mode": "HTML"}, "Bad Request: message text is empty"),
    ({"text": "x" * 4097}, "Bad Request: message is too long"),
    ({"text": "😀" * 2049}, "Bad Request: message is too long"),
    ({"text": "x", "parse_mode": "Word"}, "Bad Request: unsupported parse_mode"),
    (
        {"text": "<b>x", "parse_mode": "HTML"},
        "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
    ),
    ({"text": "x", "reply_parameters": {"message_id": 999}}, "Bad Request: message to be replied not found"),
    ({"text": "x", "reply_to_message_id": 999}, "Bad Request: message to be replied not found"),
    ({"text": "x", "message_thread_id": 999}, "Bad Request: message thread not found"),
    ({"text": "x", "reply_markup": inline("d" * 65)}, "Bad Request: BUTTON_DATA_INVALID"),
    (
        {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "bare"}]]}},
        "Bad Request: text buttons are unallowed in the inline keyboard",
    ),
    ({"text": "x", "chat_id": 12345}, "Bad Request: chat not found"),
    ({"text": "x", "chat_id": "@nobody"}, "Bad Request: chat not found"),
    ({"text": "x", "chat_id": ""}, "Bad Request: chat_id is empty"),
]


@pytest.mark.parametrize(("values", "words"), TEXTS)
async def test_texts(sandbox: Sandbox, values: dict[str, Any], words: str) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    assert await sandbox.refusal("sendMessage", **{"chat_id": ada.id, **values}) == words


async def test_texts_that_just_fit(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    for text in ("x" * 4096, "<b>" + "y" * 4096 + "</b>", "😀" * 2048):
        body = await sandbox.call("sendMessage", chat_id=ada.id, text=text, parse_mode="HTML")
        assert body["ok"]
    lenient = {"message_id": 999, "allow_sending_without_reply": True}
    body = await sandbox.call("sendMessage", chat_id=str(ada.id), text="x", reply_parameters=lenient)
    assert "reply_to_message" not in body["result"]


async def test_edits(sandbox: Sandbox, clip_data: bytes) -> None:
    ada = await sandbox.people.person()
    said = await ada.say("mine")
    text = (await sandbox.call("sendMessage", chat_id=ada.id, text="one", reply_markup=inline("a")))["result"]
    video = (
        await sandbox.http.post(
            f"/bot{DEFAULT_TOKEN}/sendVideo", data={"chat_id": ada.id}, files={"video": clip_data}
        )
    ).json()["result"]

    def at(message: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"chat_id": ada.id, "message_id": message["message_id"], **more}

    refusal = sandbox.refusal
    assert await refusal("editMessageText", **at(text, text="one", reply_markup=inline("a"))) == NOT_MODIFIED
    assert await refusal("editMessageReplyMarkup", **at(text, reply_markup=inline("a"))) == NOT_MODIFIED
    assert (await sandbox.call("editMessageText", **at(text, text="one")))["ok"]
    assert (await sandbox.call("editMessageReplyMarkup", **at(text, reply_markup=inline("b"))))["ok"]
    missing = {"message_id": 999}
    assert (
        await refusal("editMessageText", **at(missing, text="x")) == "Bad Request: message to edit not found"
    )
    assert (
        await refusal("editMessageText", **at(said.json, text="x")) == "Bad Request: message can't be edited"
    )
    words = "Bad Request: there is no text in the message to edit"
    assert await refusal("editMessageText", **at(video, text="x")) == words
    words = "Bad Request: there is no caption in the message to edit"
    assert await refusal("editMessageCaption", **at(text, caption="x")) == words
    words = "Bad Request: message caption is too long"
    assert await refusal("editMessageCaption", **at(video, caption="x" * 1025)) == words
    assert (await sandbox.call("editMessageCaption", **at(video, caption="x" * 1024)))["ok"]
    assert await refusal("deleteMessage", **at(missing)) == "Bad Request: message to delete not found"


async def test_files(sandbox: Sandbox, clip: Path, large: Path) -> None:
    ada = await sandbox.people.person()
    gone = "Bad Request: wrong file_id or the file is temporarily unavailable"
    assert await sandbox.refusal("getFile", file_id="nonsense") == gone
    words = await sandbox.refusal("sendVideo", chat_id=(await ada.start()).chat_id, video="nonsense")
    assert words.startswith("Bad Request: wrong remote file identifier specified")
    assert (
        await sandbox.refusal("sendVideo", chat_id=ada.id) == "Bad Request: there is no video in the request"
    )
    dead_link = f"{sandbox.url}/control/file/nothing"
    words = "Bad Request: failed to get HTTP URL content"
    assert await sandbox.refusal("sendVideo", chat_id=ada.id, video=dead_link) == words

    sent = await ada.send_file("video", clip)
    await sandbox.people.faults.lose_file(sent.media["file_id"])
    (update,) = [u for u in (await sandbox.call("getUpdates"))["result"] if "video" in u["message"]]
    assert await sandbox.refusal("getFile", file_id=update["message"]["video"]["file_id"]) == gone

    await ada.send_file("document", large)
    (update,) = (await sandbox.call("getUpdates", offset=-1))["result"]
    words = await sandbox.refusal("getFile", file_id=update["message"]["document"]["file_id"])
    assert words == "Bad Request: file is too big"

    for name, content, words in (
        ("video", b"", "Bad Request: file must be non-empty"),
        ("photo", b"no picture", "Bad Request: IMAGE_PROCESS_FAILED"),
    ):
        response = await sandbox.http.post(
            f"/bot{DEFAULT_TOKEN}/send{name}", data={"chat_id": ada.id}, files={name: content}
        )
        assert (response.status_code, response.json()["description"]) == (400, words)


async def test_an_upload_that_is_too_large(sandbox: Sandbox) -> None:
    too_large = bytes(CLOUD_UPLOAD_BYTES + 1024 * 1024)
    response = await sandbox.http.post(
        f"/bot{DEFAULT_TOKEN}/sendDocument", data={"chat_id": 1}, files={"document": too_large}, timeout=30
    )
    assert response.status_code == 413
    assert response.json() == {"ok": False, "error_code": 413, "description": "Request Entity Too Large"}
    assert not list(sandbox.world.files.incoming.iterdir())


async def test_tokens_and_methods(start: Start) -> None:
    sandbox = await start(any_token=True)
    assert (await sandbox.call("getMe", token="nonsense"))["error_code"] == 401
    assert (await sandbox.call("getme"))["result"]["username"] == "sandbox_bot"
    assert (await sandbox.call("GETME", token="42:" + "x" * 35))["result"]["id"] == 42
    body = await sandbox.call("noSuchThing")
    assert (body["error_code"], body["description"]) == (404, "Not Found: method not found")
    queried = await sandbox.http.get(f"/bot{DEFAULT_TOKEN}/getUpdates", params={"limit": 1})
    assert queried.json() == {"ok": True, "result": []}
    broken = await sandbox.http.post(
        f"/bot{DEFAULT_TOKEN}/getMe", content=b"{", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 400


async def test_presses_grow_old(start: Start) -> None:
    clock = HandClock()
    sandbox = await start(clock=clock)
    ada = await sandbox.people.person()
    await ada.open()
    await sandbox.call("sendMessage", chat_id=ada.id, text="x", reply_markup=inline("a"))
    words = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    assert await sandbox.refusal("answerCallbackQuery", callback_query_id="1") == words
    shown = await ada.chat.wait()
    assert await ada.press(shown, "x", timeout_s=0) is None
    query = (await sandbox.call("getUpdates"))["result"][0]["callback_query"]
    clock.pass_time(3600)
    assert await sandbox.refusal("answerCallbackQuery", callback_query_id=query["id"]) == words


async def test_another_bots_file_id(start: Start, clip: Path) -> None:
    other = "42:" + "x" * 35
    sandbox = await start(tokens=(DEFAULT_TOKEN, other))
    ada = await sandbox.people.person()
    await ada.send_file("video", clip)
    mine = (await sandbox.call("getUpdates"))["result"][0]["message"]["video"]["file_id"]
    assert (await sandbox.call("getFile", file_id=mine))["ok"]
    assert not (await sandbox.call("getFile", token=other, file_id=mine))["ok"]


NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("sendMessage", {"text": "x", "reply_markup": "{"}),
    ("sendMessage", {"text": "x", "reply_markup": {"inline_keyboard": [7]}}),
    ("sendMessage", {"text": "x", "entities": [{"type": "bold"}]}),
    ("sendMessage", {"text": "x", "reply_parameters": {"message_id": 77}}),
    ("sendMediaGroup", {"media": [1, 2]}),
    ("sendMediaGroup", {"media": [{"type": "video"}, {"type": "document"}]}),
    ("sendMediaGroup", {"media": [{"type": "photo"}] * 11}),
    ("deleteMessages", {"message_ids": ["a"]}),
    ("copyMessages", {"message_ids": None, "from_chat_id": 1}),
    ("setMyCommands", {"commands": [{"command": "Upper Case", "description": "x"}]}),
    ("setMyCommands", {"commands": [], "scope": {"type": "chat", "chat_id": "a"}}),
    ("sendChatAction", {"action": "dancing"}),
    ("setMessageReaction", {"message_id": 99}),
]


async def test_nonsense_is_refused(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person()
    await ada.open()
    for method, values in NONSENSE:
        body = await sandbox.call(method, **{"chat_id": ada.id, **values})
        assert body.get("error_code") == 400, (method, values, body)
