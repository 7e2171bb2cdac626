from dataclasses import replace
from typing import Any

import pytest
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError

from bot.jobs.buttons import AnswerQuestion, Export, pack
from bot.telegram.sending.message_fields import MessageFields
from bot.telegram.sending.send_refusals import (
    SHORT_CHARS,
    SendRefusal,
    send_in_best_form,
    send_refusal_of,
    without,
)


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (NetworkError("Request Entity Too Large"), SendRefusal.TOO_LARGE),
        (
            NetworkError("Request Entity Too Large (413). Parsing the server response b'<html>' failed"),
            SendRefusal.TOO_LARGE,
        ),
        (BadRequest("File is too big"), SendRefusal.TOO_LARGE),
        (BadRequest("FILE_PARTS_INVALID"), SendRefusal.TOO_LARGE),
        (NetworkError("Bad Gateway"), SendRefusal.OTHER),
        (
            BadRequest("Inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL"),
            SendRefusal.BUTTON,
        ),
        (
            BadRequest(
                "Message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            ),
            SendRefusal.UNMODIFIED,
        ),
        (BadRequest("MESSAGE_NOT_MODIFIED"), SendRefusal.UNMODIFIED),
        (BadRequest("BUTTON_URL_INVALID"), SendRefusal.BUTTON),
        (BadRequest("Button_type_invalid"), SendRefusal.BUTTON),
        (BadRequest("Message thread not found"), SendRefusal.THREAD),
        (BadRequest("Topic_closed"), SendRefusal.THREAD),
        (BadRequest("TOPIC_DELETED"), SendRefusal.THREAD),
        (BadRequest("Message to be replied not found"), SendRefusal.REPLY),
        (BadRequest("Not enough rights to send videos to the chat"), SendRefusal.KIND),
        (BadRequest("CHAT_SEND_VIDEOS_FORBIDDEN"), SendRefusal.KIND),
        (BadRequest("Not enough rights to send text messages to the chat"), SendRefusal.OTHER),
        (BadRequest("Can't parse entities: unexpected end tag at byte offset 5"), SendRefusal.FORMATTING),
        (BadRequest("ENTITY_BOUNDS_INVALID"), SendRefusal.FORMATTING),
        (BadRequest("ENTITY_TEXTURL_INVALID"), SendRefusal.FORMATTING),
        (
            NetworkError("Content Too Large (413). Parsing the server response b'' failed"),
            SendRefusal.TOO_LARGE,
        ),
        (NetworkError("Payload too large"), SendRefusal.TOO_LARGE),
        (BadRequest("Reply markup is too long"), SendRefusal.BUTTON),
        (BadRequest("Text buttons are unallowed in the inline keyboard"), SendRefusal.BUTTON),
        (BadRequest("Wrong port number specified in the URL"), SendRefusal.BUTTON),
        (BadRequest("Forum topic was deleted"), SendRefusal.THREAD),
        (BadRequest("Replied message not found"), SendRefusal.REPLY),
        (BadRequest("QUOTE_TEXT_INVALID"), SendRefusal.REPLY),
        (BadRequest("Invalid quote"), SendRefusal.REPLY),
        (BadRequest("VOICE_MESSAGES_FORBIDDEN"), SendRefusal.KIND),
        (Forbidden("CHAT_SEND_DOCS_FORBIDDEN"), SendRefusal.KIND),
        (BadRequest("CHAT_SEND_PLAIN_FORBIDDEN"), SendRefusal.OTHER),
        (BadRequest("Message caption is too long"), SendRefusal.LENGTH),
        (BadRequest("PHOTO_INVALID_DIMENSIONS"), SendRefusal.PICTURE),
        (BadRequest("Wrong file identifier/HTTP URL specified"), SendRefusal.OTHER),
        (BadRequest("Something that no document names"), SendRefusal.OTHER),
    ],
)
def test_the_reason_of_a_refusal(error: TelegramError, refusal: SendRefusal) -> None:
    assert send_refusal_of(error) is refusal


LINK = InlineKeyboardButton("Open", url="http://localhost/x?a&b")
ACTION = InlineKeyboardButton("Export", callback_data="e")
FIELDS = MessageFields(
    text='<b>At last</b>: <a href="https://x.example/1?a&amp;b">nemovideo.mp4</a>',
    caption="",
    parse_mode="HTML",
    reply_markup=InlineKeyboardMarkup([[LINK], [LINK, ACTION]]),
    thumbnail=b"t",
    cover=b"c",
    message_thread_id=5,
    reply_parameters=ReplyParameters(7),
)


@pytest.mark.parametrize("refusal", SendRefusal)
def test_each_refusal_leaves_something_out_until_nothing_of_it_is_left(refusal: SendRefusal) -> None:
    rest = FIELDS
    for _ in range(2):
        rest = without(refusal, rest)
    assert without(refusal, rest) == rest


ADDRESS = "Open: http://localhost/x?a&amp;b"
PLAIN = "At last: nemovideo.mp4: https://x.example/1?a&b"


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        (
            "BUTTON_URL_INVALID",
            {"reply_markup": InlineKeyboardMarkup([[ACTION]]), "text": f"{FIELDS.text}\n\n{ADDRESS}"},
        ),
        (
            "Message thread not found",
            {
                "message_thread_id": None,
                "reply_parameters": None,
                "reply_markup": InlineKeyboardMarkup([[LINK], [LINK]]),
            },
        ),
        ("Message to be replied not found", {"reply_parameters": None}),
        (
            "Can't parse entities",
            {"parse_mode": None, "text": PLAIN},
        ),
        (
            "Message is too long",
            {"parse_mode": None, "text": PLAIN},
        ),
        ("VIDEO_COVER_INVALID", {"cover": None, "thumbnail": None}),
    ],
)
async def test_what_was_refused_is_left_out(message: str, changed: dict[str, Any]) -> None:
    sent: list[dict[str, Any]] = []

    async def send(**fields: Any) -> str:
        sent.append(fields)
        if len(sent) == 1:
            raise BadRequest(message)
        return "sent"

    assert await send_in_best_form(send, FIELDS) == "sent"
    assert sent == [FIELDS.as_kwargs(), replace(FIELDS, **changed).as_kwargs()]


@pytest.mark.parametrize(
    ("error", "raised", "times"),
    [
        (NetworkError("Request Entity Too Large"), BadRequest, 1),
        (NetworkError("Bad Gateway"), NetworkError, 1),
        (BadRequest("Message is not modified"), BadRequest, 1),
        (BadRequest("TOPIC_CLOSED"), BadRequest, 2),
    ],
)
async def test_what_no_form_helps_against_is_raised(
    error: NetworkError, raised: type[NetworkError], times: int
) -> None:
    sent: list[dict[str, Any]] = []

    async def send(**fields: Any) -> None:
        sent.append(fields)
        raise error

    with pytest.raises(NetworkError) as caught:
        await send_in_best_form(send, FIELDS)
    assert type(caught.value) is raised
    assert len(sent) == times


async def test_against_an_unknown_refusal_the_plainest_form_is_tried_once() -> None:
    sent: list[dict[str, Any]] = []

    async def send(**fields: Any) -> None:
        sent.append(fields)
        raise BadRequest("Something that no document names")

    with pytest.raises(BadRequest):
        await send_in_best_form(send, FIELDS, plain_in_the_end=True)
    assert len(sent) == 2
    plain = sent[1]
    assert (plain["message_thread_id"], plain.get("reply_markup")) == (5, None)
    assert plain["text"] == f"{PLAIN}\n\nOpen: http://localhost/x?a&b"


def test_outside_of_its_topic_a_message_keeps_the_buttons_that_do_not_act_on_the_chat_s_project() -> None:
    answer = InlineKeyboardButton("Cartoon", callback_data=pack(AnswerQuestion("a1", "1.0", "1")))
    act = InlineKeyboardButton("Export", callback_data=pack(Export()))
    fields = replace(FIELDS, reply_markup=InlineKeyboardMarkup([[LINK, act], [answer]]))
    outside = without(SendRefusal.THREAD, fields)
    assert outside.reply_markup == InlineKeyboardMarkup([[LINK], [answer]])
    in_group = without(SendRefusal.THREAD, replace(fields, message_thread_id=None))
    assert in_group.reply_markup == fields.reply_markup


def test_an_address_that_the_text_holds_is_not_added_to_it() -> None:
    button = InlineKeyboardButton("Download", url="https://x.example/1?a&b")
    fields = without(SendRefusal.BUTTON, replace(FIELDS, reply_markup=InlineKeyboardMarkup([[button]])))
    assert (fields.text, fields.reply_markup) == (FIELDS.text, None)


@pytest.mark.parametrize(
    "message",
    ["CHAT_RESTRICTED", "TOPIC_CLOSED", "Not enough rights to send videos to the chat", "File too large"],
)
async def test_the_plainest_form_helps_against_no_known_refusal(message: str) -> None:
    sent: list[dict[str, Any]] = []

    async def send(**fields: Any) -> None:
        sent.append(fields)
        raise BadRequest(message)

    with pytest.raises(BadRequest):
        await send_in_best_form(send, MessageFields("Hi", parse_mode="HTML"), plain_in_the_end=True)
    assert len(sent) == 1


async def test_a_part_that_is_not_there_is_not_left_out_again() -> None:
    sent: list[dict[str, Any]] = []

    async def send(**fields: Any) -> None:
        sent.append(fields)
        raise BadRequest("BUTTON_URL_INVALID")

    with pytest.raises(BadRequest):
        await send_in_best_form(
            send, MessageFields(caption="Hi", reply_markup=InlineKeyboardMarkup([[ACTION]]))
        )
    assert ["reply_markup" not in fields for fields in sent] == [False, True]


def test_of_a_text_that_is_too_long_for_telegram_the_beginning_is_sent_without_looks() -> None:
    fields = without(SendRefusal.LENGTH, MessageFields("<b>" + "word " * 400 + "</b>", parse_mode="HTML"))
    assert fields.text == ("word " * 400)[:SHORT_CHARS] + "…"
    assert fields.parse_mode is None
