"""What messages mean: a table of messages, as Telegram's JSON, and of what is read in each."""

from typing import Any

import pytest
from telegram import Message, User

from bot.telegram.handlers.access import ForwardedCommand
from bot.telegram.reading.commands import find_command, nearest_command, without_mention
from bot.telegram.reading.request import Request, read_request

Json = dict[str, Any]

BOT: Json = {"id": 1, "is_bot": True, "first_name": "Bot", "username": "edit_bot"}
ANN: Json = {"id": 11, "is_bot": False, "first_name": "Ann"}
BO: Json = {"id": 12, "is_bot": False, "first_name": "Bo"}
PRIVATE: Json = {"id": 11, "type": "private"}
GROUP: Json = {"id": -100, "type": "supergroup"}
VIDEO: Json = {"file_id": "video", "file_unique_id": "v", "width": 1, "height": 1}
URL = "https://samples.example.com/beach.mp4"


def message(text: str = "", /, **fields: Any) -> Json:
    words = {"text": text} if text else {}
    return {"message_id": 7, "date": 1000, "chat": PRIVATE, "from": ANN, **words, **fields}


def link(offset: int, length: int, url: str = URL, kind: str = "text_link") -> list[Json]:
    address = {"url": url} if kind == "text_link" else {}
    return [{"type": kind, "offset": offset, "length": length, **address}]


def answered(text: str = "", /, by: Json = BO, **fields: Any) -> Json:
    return message(text, **{"from": by, "message_id": 5, **fields})


def forwarded(by: Json) -> Json:
    return {"type": "user", "date": 900, "sender_user": by}


def read(given: Json, *, agent_knows_replied: bool = False) -> Request:
    parsed = Message.de_json(given, None)
    return read_request(parsed, User.de_json(BOT, None), agent_knows_replied=agent_knows_replied)


LINKS_TO_BOT: list[Json] = [
    {"type": "text_mention", "offset": 0, "length": 4, "user": BOT},
    *link(0, 4, "https://t.me/edit_bot"),
    *link(0, 4, "http://telegram.me/Edit_Bot/"),
    *link(0, 4, "https://t.me/edit_bot?start=abc"),
    *link(0, 4, "tg://resolve?domain=edit_bot"),
    *link(0, 4, "tg://user?id=1"),
]


@pytest.mark.parametrize("entity", LINKS_TO_BOT)
def test_words_that_link_to_the_bot_are_a_mention_of_it(entity: Json) -> None:
    assert read(message("Nemo, trim it", entities=[entity])).prompt == "trim it"
    assert read(message("make Nemo dance", entities=[{**entity, "offset": 5}])).prompt == "make dance"


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        (message("/edit", reply_to_message=answered("a cat, 2 seconds")), "a cat, 2 seconds"),
        (message("@edit_bot", reply_to_message=answered("a cat, 2 seconds")), "a cat, 2 seconds"),
        (
            message(
                "/edit@edit_bot",
                quote={"text": "a cat", "position": 0, "is_manual": True},
                reply_to_message=answered("a cat or a dog", by=BOT),
            ),
            "a cat",
        ),
        (message("/edit", reply_to_message=answered(f"{URL} trim it")), "trim it"),
        (message("/edit", reply_to_message=answered("Send a video", by=BOT)), ""),
        (message("/edit", reply_to_message=answered(caption="Summer sale!", document=VIDEO)), ""),
    ],
)
def test_the_bot_called_without_words_is_asked_for_what_was_answered(given: Json, prompt: str) -> None:
    request = read({**given, "chat": GROUP})
    assert request.prompt == prompt
    assert not (prompt and request.context)


@pytest.mark.parametrize("address", ["ftp://example.com/a.mp4", "file:///a.mp4", "rtsp://example.com/a"])
def test_a_hidden_address_that_no_one_can_fetch_is_refused_as_a_plain_one(address: str) -> None:
    request = read(message("trim this clip", entities=link(5, 9, address)))
    assert (request.is_refused, [one.key for one in request.left_out]) == (True, ["link.bad_scheme"])


@pytest.mark.parametrize(
    ("fields", "is_refused"),
    [
        ({}, True),
        ({"quote": {"text": "A cat", "position": 0}}, False),
        ({"document": VIDEO}, False),
    ],
)
def test_words_about_a_message_elsewhere_that_nothing_is_seen_of_are_refused(
    fields: Json, is_refused: bool
) -> None:
    request = read(message("trim it", external_reply={"origin": forwarded(BO)}, **fields))
    assert request.is_refused is is_refused
    assert [one.key for one in request.left_out] == ["error.reply_unseen"][:is_refused]
    assert request.offered == ("trim it" if is_refused else "")


STORY = {"id": 3, "chat": {"id": 7, "type": "private", "first_name": "Bo"}}


@pytest.mark.parametrize(
    ("given", "prompt", "links"),
    [
        pytest.param(message("trim it"), "trim it", (), id="words"),
        pytest.param(message("cut this", entities=link(4, 4)), "cut this", (URL,), id="link behind words"),
        pytest.param(message("😀😀 cut it", entities=link(9, 2)), "😀😀 cut it", (URL,), id="UTF-16 offsets"),
        pytest.param(
            message("把这个剪到1秒", entities=link(1, 2)), "把这个 剪到1秒", (URL,), id="link in Chinese"
        ),
        pytest.param(
            message("", caption="with this", caption_entities=link(5, 4), photo=[{**VIDEO}]),
            "with this",
            (URL,),
            id="link in a caption",
        ),
        pytest.param(
            message(f"cut {URL[8:]}", entities=link(4, len(URL) - 8, kind="url")),
            "cut",
            (URL,),
            id="without scheme",
        ),
        pytest.param(
            message("render clip.mov", entities=link(7, 8, kind="url")),
            "render clip.mov",
            (),
            id="a name that looks like a host",
        ),
        pytest.param(
            message("cut https://good.example.com/a.mp4", entities=link(4, 30)),
            "cut",
            (URL,),
            id="an address that hides another",
        ),
        pytest.param(
            message("ask Bo", entities=link(4, 2, "tg://user?id=12")), "ask Bo", (), id="link to a person"
        ),
        pytest.param(
            message(f"both {URL} and this", entities=link(47, 4)), "both and this", (URL,), id="twice"
        ),
    ],
)
def test_links_are_read_wherever_they_are(given: Json, prompt: str, links: tuple[str, ...]) -> None:
    request = read(given)
    assert (request.prompt, request.links) == (prompt, links)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("/edit trim it", "edit", "trim it"),
        ("/edit把视频剪到1秒", "edit", "把视频剪到1秒"),
        ("/edit，把视频剪到1秒", "edit", "把视频剪到1秒"),
        ("／edit　剪到1秒", "edit", "剪到1秒"),
        ("／ＥＤＩＴ＠ｅｄｉｔ＿ｂｏｔ　剪到５秒", "edit", "剪到５秒"),
        ("/edit＠edit_bot：剪", "edit", "剪"),
        ("/edit·剪", "edit", "剪"),
        ("/edit—короче", "edit", "короче"),
        ("/editСделай короче", "edit", "Сделай короче"),
        ("/edit@edit_botсделай короче", "edit", "сделай короче"),
        ("\u200f/editقص الفيديو", "edit", "قص الفيديو"),
        ("/edit، قص؟", "edit", "قص؟"),
        ("/edit\u200b\u2060cut", "edit", "cut"),
        ("/edit✂️ 1 s", "edit", "✂️ 1 s"),
        ("/editをカット", "edit", "をカット"),
        ("/EDIT: trim it", "edit", "trim it"),
        ("/edit@edit_bot请剪短", "edit", "请剪短"),
        ("@edit_bot /edit trim it", "edit", "trim it"),
        ("@edit_bot，/edit剪短", "edit", "剪短"),
        ("/edit -3 dB", "edit", "-3 dB"),
        ("/edit - shorter", "edit", "shorter"),
        ("/edit .5 seconds", "edit", ".5 seconds"),
        ("/edit “海边”", "edit", "“海边”"),
        ("/edit3秒之后的都剪掉", "edit", "3秒之后的都剪掉"),
        ("／edit10秒后剪", "edit", "10秒后剪"),
        ("/new3秒的猫", "new", "3秒的猫"),
        ("/edit@edit_bot3秒之后剪掉", "edit", "3秒之后剪掉"),
        ("/edit5секунд", "edit", "5секунд"),
        ("/edit2，剪短", "edit2", "剪短"),
        ("/edit@把视频剪短", "edit", "@把视频剪短"),
        ("/edit3s cut", "edit3s", "cut"),
        ("/stop", "cancel", ""),
        ("/lang zh", "language", "zh"),
        ("/menu", "help", ""),
        ("/credits？", "credits", ""),
        ("/editmake it shorter", "editmake", "it shorter"),
        ("/home/ann/clip.mp4", None, ""),
        (r"\Users\ann\clip.mp4 make it vertical", None, ""),
        (r"\title{Hello} as the title", None, ""),
        ("/剪短", None, ""),
        ("cut /edit", None, ""),
        ("//edit", None, ""),
    ],
)
def test_a_command_ends_at_its_last_ascii_character(text: str, name: str | None, words: str) -> None:
    command = find_command(text, "edit_bot")
    assert (command and command.name) == name
    assert command is None or command.words == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@edit_bot trim it", "trim it"),
        ("@edit_bot把视频剪到1秒", "把视频剪到1秒"),
        ("@Edit_Bot，请剪短", "请剪短"),
        ("请@edit_bot剪短", "请剪短"),
        ("trim it, @edit_bot", "trim it,"),
        ("hey @edit_bot: trim it", "hey: trim it"),
        ("@other @edit_bot trim it", "@other trim it"),
        ("＠edit_bot 剪短", "剪短"),
        ("＠ｅｄｉｔ＿ｂｏｔ　剪短", "剪短"),
        ("@edit_botсделай короче", "сделай короче"),
        ("\u200f@edit_bot، قص", "قص"),
        ("✂️@edit_bot 1 s", "✂️ 1 s"),
        ("@edit_bot3秒之后剪掉", "3秒之后剪掉"),
        ("请@edit_bot2倍速播放", "请2倍速播放"),
        ("@edit_bot2 trim it", "@edit_bot2 trim it"),
        ("@edit_bot2，剪短", "@edit_bot2，剪短"),
        ("ann@edit_bot.com", "ann@edit_bot.com"),
        ("https://example.org/@edit_bot", "https://example.org/@edit_bot"),
    ],
)
def test_a_mention_ends_at_its_last_ascii_character(text: str, words: str) -> None:
    assert without_mention(text, "edit_bot") == words


@pytest.mark.parametrize(
    ("caption", "prompt"),
    [
        ("/edittrim it to 1 second", "trim it to 1 second"),
        ("/edits: make it short", "edits: make it short"),
        ("/edit_trim it", "trim it"),
        ("/trim to 5 seconds", "trim to 5 seconds"),
        ("/remove the logo", "remove the logo"),
        ("/reverse it", "reverse it"),
        ("@edit_bot /cut the end", "cut the end"),
        ("/1秒后剪", "1秒后剪"),
        ("/status trim it", "trim it"),
        ("/exprot", ""),
    ],
)
def test_a_caption_is_not_cut_at_an_unknown_command(caption: str, prompt: str) -> None:
    assert read(message(caption=caption, document=VIDEO)).prompt == prompt


def test_a_mention_behind_a_command_is_no_part_of_the_words() -> None:
    assert read(message("/edit @edit_bot trim it")).prompt == "trim it"
    assert read(message("/edit@edit_bot @edit_bot，剪短")).prompt == "剪短"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("edti", "edit"), ("editmake", "edit"), ("credit", "credits"), ("newproject", "new"), ("xyzzy", None)],
)
def test_an_unknown_command_has_a_nearest_one(name: str, nearest: str | None) -> None:
    assert nearest_command(name, ("edit", "export", "credits", "new", "help")) == nearest


def test_words_behind_a_command_belong_to_the_longest_that_it_may_be() -> None:
    assert nearest_command("projectslast", ("projects", "project")) == "projects"


@pytest.mark.parametrize(("length", "glue"), [(4096, ""), (4000, " "), (3900, "\n\n")])
def test_a_text_goes_on_where_a_client_may_have_cut_it(length: int, glue: str) -> None:
    assert read(message("x" * length)).part.glue == glue


def test_in_a_topic_a_reply_to_its_first_message_is_none() -> None:
    """Some clients make each message there one, and some servers tell nothing else of what it answers."""
    first = answered("", video={**VIDEO, "duration": 1}, message_id=3)
    given = message("trim it", chat=GROUP, reply_to_message=first, message_thread_id=3, is_topic_message=True)
    assert read(given).replied is None


@pytest.mark.parametrize(
    ("given", "is_addressed"),
    [
        pytest.param(message("trim it"), True, id="private"),
        pytest.param(message("trim it", chat=GROUP), False, id="group"),
        pytest.param(message("@edit_bot剪短", chat=GROUP), True, id="mention without entity"),
        pytest.param(message("/edit剪短", chat=GROUP), True, id="command without entity"),
        pytest.param(message("/edit@other_bot cut", chat=GROUP), False, id="another bot's command"),
        pytest.param(
            message(caption="@edit_bot /trim it", chat=GROUP, document=VIDEO), True, id="mention, no command"
        ),
        pytest.param(
            message(caption="/edit剪短", chat=GROUP, document=VIDEO), True, id="command in a caption"
        ),
        pytest.param(
            message(caption="/credits", chat=GROUP, document=VIDEO), False, id="other one in a caption"
        ),
        pytest.param(
            message("and now", chat=GROUP, reply_to_message=answered("Done", BOT)),
            True,
            id="reply to the bot",
        ),
        pytest.param(
            message("no", chat=GROUP, reply_to_message=answered("@edit_bot")), False, id="reply to Bo"
        ),
        pytest.param(
            message("@edit_bot cut", chat=GROUP, forward_origin=forwarded(BO)), False, id="mention by another"
        ),
        *(
            pytest.param(message("Nemo, cut it", chat=GROUP, entities=[entity]), True, id=f"link {number}")
            for number, entity in enumerate(LINKS_TO_BOT)
        ),
        pytest.param(
            message("t.me/edit_bot cut it", chat=GROUP, entities=link(0, 13, kind="url")), True, id="address"
        ),
        pytest.param(
            message("Bo, cut it", chat=GROUP, entities=[{**LINKS_TO_BOT[0], "length": 2, "user": BO}]),
            False,
            id="a mention of Bo without a name",
        ),
        pytest.param(
            message(caption="Nemo, cut it", caption_entities=LINKS_TO_BOT[:1], document=VIDEO, chat=GROUP),
            True,
            id="link to the bot in a caption",
        ),
    ],
)
def test_a_message_is_for_the_bot_or_not(given: Json, is_addressed: bool) -> None:
    assert read(given).is_addressed is is_addressed


@pytest.mark.parametrize(
    ("given", "context"),
    [
        pytest.param(message("do it", reply_to_message=answered("A sunrise")), "A sunrise", id="another person"),
        pytest.param(message("why", reply_to_message=answered("Too large", BOT)), "Too large", id="the bot"),
        pytest.param(
            message("this", quote={"text": "A cat", "position": 3}, reply_to_message=answered("1. A cat", BOT)),
            "A cat",
            id="the bot, quoted by itself",
        ),
        pytest.param(
            message(
                "like this",
                reply_to_message=answered(caption="Sea", document=VIDEO, **{"from": BOT}),
            ),
            "",
            id="the caption of a result",
        ),
        pytest.param(
            message("in this topic", chat=GROUP, reply_to_message=answered("", forum_topic_created={
                "name": "Clips", "icon_color": 1
            })),
            "",
            id="a topic's first message",
        ),
        pytest.param(
            message("do it", reply_to_message=answered("see this", entities=link(4, 4))),
            f"see this {URL}",
            id="a link in it",
        ),
    ],
)  # fmt: skip
def test_the_words_that_a_message_is_about(given: Json, context: str) -> None:
    assert read(given).context == context


def test_what_the_agent_knows_is_quoted_only_where_it_was_marked() -> None:
    said = answered("1. A sunrise\n2. A cat", BOT)
    marked = {"text": "A cat", "position": 16, "is_manual": True}
    assert read(message("more", reply_to_message=said), agent_knows_replied=True).context == ""
    request = read(message("this one", quote=marked, reply_to_message=said), agent_knows_replied=True)
    assert (request.prompt, request.context) == ("this one", "A cat")
    by_itself = {"text": "A cat", "position": 16}
    assert (
        read(message("more", quote=by_itself, reply_to_message=said), agent_knows_replied=True).context == ""
    )


def test_two_links_that_overlap_are_both_read() -> None:
    other = "https://example.com/other.mp4"
    request = read(message("cut this clip", entities=[*link(4, 4), *link(4, 9, other)]))
    assert (request.prompt, request.links) == ("cut this clip", (URL, other))


def test_a_command_in_somebody_elses_words_is_none() -> None:
    quoting = read(message("hm", reply_to_message=answered("/forget")))
    assert (quoting.command, quoting.prompt, quoting.context) == (None, "hm", "/forget")
    passed_on = read(message("/edit cut it", forward_origin=forwarded(BO)))
    assert (passed_on.command, passed_on.part.is_own, passed_on.prompt) == (None, False, "cut it")
    own = read(message("/edit cut it", forward_origin=forwarded(ANN)))
    assert (own.is_edit, own.part.is_own, own.prompt) == (True, True, "cut it")


@pytest.mark.parametrize(
    ("given", "file_id"),
    [
        pytest.param(message(document=VIDEO), "video", id="its own"),
        pytest.param(
            message("cut", reply_to_message=answered(document=VIDEO)), "video", id="the answered one's"
        ),
        pytest.param(
            message("cut", external_reply={"origin": forwarded(BO), "document": VIDEO}),
            "video",
            id="in another chat",
        ),
        pytest.param(
            message("hm", reply_to_message=answered(photo=[VIDEO], **{"from": BOT})), None, id="the timeline"
        ),
    ],
)
def test_the_file_that_a_message_is_about(given: Json, file_id: str | None) -> None:
    files = read(given).attachments
    assert next((file.file_id for file in files), None) == file_id


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"reply_to_message": answered(f"look: {URL}")}, id="written"),
        pytest.param({"reply_to_message": answered("😀 see this", entities=link(7, 4))}, id="behind words"),
        # Telegram keeps no links in quotes.
        pytest.param(
            {
                "quote": {"text": "see this", "position": 3, "is_manual": True},
                "reply_to_message": answered("😀 see this and that", entities=link(7, 4)),
            },
            id="behind marked words",
        ),
        pytest.param(
            {
                "quote": {"text": "this", "position": 0, "is_manual": True},
                "reply_to_message": answered(caption="this or that", caption_entities=link(0, 4)),
            },
            id="behind marked words of a caption",
        ),
        pytest.param(
            {
                "quote": {"text": "see this", "position": 0},
                "external_reply": {"origin": forwarded(BO), "link_preview_options": {"url": URL}},
            },
            id="behind words in another chat",
        ),
        pytest.param(
            {"external_reply": {"origin": forwarded(BO), "link_preview_options": {"url": URL}}},
            id="in another chat, without its words",
        ),
    ],
)
def test_a_link_in_the_answered_message_is_its_file(answers: Json) -> None:
    request = read(message("cut it", **answers))
    assert (request.prompt, request.links) == ("cut it", (URL,))


def test_a_link_beside_the_marked_words_is_not_meant() -> None:
    said = answered("this or that", entities=link(8, 4))
    request = read(message("cut it", quote={"text": "this", "position": 0}, reply_to_message=said))
    assert (request.context, request.links) == ("this", ())


@pytest.mark.parametrize(
    ("given", "key", "offered"),
    [
        pytest.param(
            message("cut it", reply_to_message=answered("look: https://youtu.be/a")),
            "link.streaming_site",
            "cut it",
            id="link in the answered message",
        ),
        pytest.param(message("", story=STORY), "error.story", "", id="story"),
        pytest.param(
            message("trim it", reply_to_story=STORY), "error.story", "trim it", id="reply to a story"
        ),
        pytest.param(
            message("", paid_media={"star_count": 1, "paid_media": []}, caption="trim it"),
            "error.paid_media",
            "trim it",
            id="paid media",
        ),
        pytest.param(
            message("trim it", reply_to_message={**answered(""), "story": STORY}),
            "error.story",
            "trim it",
            id="answered story",
        ),
        pytest.param(
            message("", checklist={"title": "To do", "tasks": []}), "error.checklist", "", id="checklist"
        ),
    ],
)
def test_what_nothing_can_be_done_with_runs_on_no_other_clip(given: Json, key: str, offered: str) -> None:
    request = read(given)
    assert request.is_refused
    assert [said.key for said in request.left_out] == [key]
    assert (request.offered, request.links, request.attachments) == (offered, (), ())


def test_words_of_others_are_not_offered_to_be_run() -> None:
    given = message("watch https://youtu.be/a", forward_origin=forwarded(BO))
    request = read(given)
    assert (request.is_refused, request.offered) == (True, "")


@pytest.mark.parametrize(
    ("chat", "said", "is_held_back"),
    [
        (PRIVATE, "cancel", True),
        (PRIVATE, "/cancel", True),
        (PRIVATE, "/edit cut it", False),
        (PRIVATE, "cut it", False),
        (GROUP, "cancel", False),  # Words in a group are for its people.
        (GROUP, "/cancel", True),
    ],
)
def test_what_others_wrote_cancels_nothing(chat: Json, said: str, is_held_back: bool) -> None:
    given = message(said, chat=chat, forward_origin=forwarded(BO))
    assert ForwardedCommand().filter(Message.de_json(given, None)) is is_held_back


def test_the_moving_part_of_a_live_photo_is_its_file() -> None:
    still = {"file_id": "still", "file_unique_id": "s", "width": 40, "height": 30}
    live = {
        "file_id": "live",
        "file_unique_id": "l",
        "width": 40,
        "height": 30,
        "duration": 2,
        "photo": [still],
    }
    request = read(message("", live_photo=live, photo=[still], caption="trim it"))
    assert [(file.file_id, file.kind) for file in request.attachments] == [("live", "video")]
    assert request.still is not None
    assert (request.still.file_id, request.still.kind) == ("still", "photo")


def test_a_link_that_cannot_be_fetched_is_left_out() -> None:
    request = read(message("https://www.youtube.com/watch?v=1"))
    assert request.is_refused
    assert [said.key for said in request.left_out] == ["link.streaming_site"]


@pytest.mark.parametrize("before", ["", "👇 "])
@pytest.mark.parametrize(
    "link", ["https://t.me/channel/1", "https://youtu.be/abc", "https://shop.example.com/page", URL]
)
def test_a_link_alone_beside_a_file_asks_for_nothing(link: str, before: str) -> None:
    request = read(message("", caption=before + link, photo=[{**VIDEO}]))
    assert (request.prompt, len(request.part.files)) == ("", 1)


def test_a_page_that_may_be_a_file_asks_for_nothing_behind_an_emoji() -> None:
    request = read(message("👇 https://shop.example.com/page"))
    assert (request.prompt, request.links) == ("", ("https://shop.example.com/page",))
