import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.chats.key import ChatKey
from bot.jobs.buttons import ButtonAction, Export, Retry, RunEdited, RunSaved
from bot.jobs.checkpoints import Gathered
from bot.jobs.messages import (
    AgentMessage,
    Button,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    TimelinePicture,
)
from bot.jobs.model import Attachment, JobKind
from bot.nemo.drafts import read_draft
from bot.sandbox import samples
from bot.sandbox.botapi.client import ChatHandle, Person, Seen
from bot.telegram.sending.activity_signals import ActivitySignals
from bot.words import Words
from tests.clocks import passing
from tests.telegram.conftest import Notebook, Telegram, a_result

EXPORT = (Button("button.export", Export()),)
RETRY = (Button("button.retry", Retry("0123456789abcdef")),)


async def said(
    telegram: Telegram, message: OutgoingMessage, checkpoints: Notebook | None = None
) -> tuple[Person, list[Seen]]:
    ada = await telegram.people.person()
    await ada.start()
    responder = telegram.responder(telegram.job(ada.chat.id, 1), checkpoints)
    await passing(telegram.clock, responder.send("answer", message))
    return ada, [seen for seen in await ada.chat.messages() if seen.json["from"]["is_bot"]]


async def test_a_long_answer_becomes_several_messages(telegram: Telegram) -> None:
    text = "\n\n".join(f"Paragraph **{number}** " + "word " * 100 for number in range(18))
    _, messages = await said(telegram, AgentMessage(text, RETRY))
    assert len(messages) >= 3
    assert [bool(seen.buttons) for seen in messages] == [False] * (len(messages) - 1) + [True]
    assert any(entity["type"] == "bold" for entity in messages[0].json["entities"])


async def test_it_is_known_that_a_message_offers_another_try(telegram: Telegram) -> None:
    ada, messages = await said(telegram, AgentMessage("The connection broke.", RETRY))
    here, number = ChatKey(ada.chat.id), messages[-1].id + 1
    assert await telegram.sent.retriable_before(here, ada.chat.id, number) == "0123456789abcdef"


@pytest.mark.parametrize("action", [RunEdited("0123456789abcdef"), RunSaved("0123456789abcdef")])
async def test_it_is_known_that_a_message_offers_a_request(telegram: Telegram, action: ButtonAction) -> None:
    ada, messages = await said(
        telegram, LocalizedMessage("edited.done", buttons=(Button("button.run_edited", action),))
    )
    assert await telegram.sent.is_offered_before(ChatKey(ada.chat.id), ada.chat.id, messages[-1].id + 1)


@pytest.mark.parametrize(
    ("message", "retried"),
    [
        (LocalizedMessage("error.unexpected_changed", buttons=EXPORT), ""),
        (AgentMessage("Done.", EXPORT, (LocalizedMessage("error.unexpected_changed"),)), ""),
        (AgentMessage("Done.", EXPORT), None),
    ],
)
async def test_an_export_is_another_try_only_where_something_failed(
    telegram: Telegram, message: OutgoingMessage, retried: str | None
) -> None:
    ada, messages = await said(telegram, message)
    here, number = ChatKey(ada.chat.id), messages[-1].id + 1
    assert await telegram.sent.retriable_before(here, ada.chat.id, number) == retried


async def test_a_caption_may_be_as_long_as_telegram_counts(telegram: Telegram) -> None:
    draft = read_draft({"t": [{"tt": 0, "sg": [{"start": 0, "duration": 1000, "name": "clip"}]}], "d": 1000})
    waiting = LocalizedMessage("status.waiting_request", {"position": 1, "words": "&" * 90})
    idle = LocalizedMessage("status.idle")
    picture = TimelinePicture(draft, ListMessage(idle, (waiting,) * 5), (idle,), (waiting,) * 5)
    _, (message,) = await said(telegram, picture)
    assert message.json["caption"].count("&" * 90) == 5


@pytest.mark.parametrize("comes", ["nothing", "another request", "an answer to another", "its own answer"])
async def test_in_private_a_request_is_quoted_if_another_message_came_in_between(
    telegram: Telegram, comes: str
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    asked = [await ada.say("trim it"), await ada.say("and a title")]
    chat = ChatKey(ada.chat.id)
    for request in asked[: 2 if comes == "another request" else 1]:
        await telegram.sent.record(ada.chat.id, request.id, chat)
    if "answer" in comes:
        about = telegram.job(ada.chat.id, asked[0].id if comes == "its own answer" else 1)
        await passing(telegram.clock, telegram.responder(about).send("answer", AgentMessage("before")))
    responder = telegram.responder(telegram.job(ada.chat.id, asked[0].id))
    await passing(telegram.clock, responder.send("ending", AgentMessage("word " * 2000)))
    messages = (await ada.chat.messages(from_bots=True))[-3:]
    quoted = [seen.json.get("reply_to_message", {}).get("message_id") for seen in messages]
    assert quoted == [asked[0].id if comes.startswith("an") else None, None, None]


@pytest.mark.parametrize("is_file", [True, False])
async def test_in_private_the_other_messages_of_a_request_do_not_come_in_between(
    telegram: Telegram, *, is_file: bool
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    asked = [await ada.say("trim it"), await ada.say("and a title")]
    for message in asked:
        await telegram.sent.record(ada.chat.id, message.id, ChatKey(ada.chat.id))
    files = (Attachment("f", "video", "a.mp4", 1, "video/mp4", message_id=asked[1].id),) if is_file else ()
    checkpoints = Notebook()
    if not is_file:
        await checkpoints.save(Gathered(last_message_id=asked[1].id))
    responder = telegram.responder(telegram.job(ada.chat.id, asked[0].id, files=files), checkpoints)
    await passing(telegram.clock, responder.send("ending", AgentMessage("done")))
    *_, answer = await ada.chat.messages(from_bots=True)
    assert "reply_to_message" not in answer.json


async def test_a_running_job_goes_on_in_a_language_that_is_chosen_meanwhile(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    await ada.start()
    job = telegram.job(ada.chat.id, 1, kind=JobKind.EDIT, language="en")
    responder = telegram.responder(job, languages=iter([None, "zh"]))
    ready = LocalizedMessage("upload.known", buttons=RETRY)
    for number in range(2):
        await passing(telegram.clock, responder.send(str(number), ready))
    shown = [(seen.text, seen.buttons) for seen in await ada.chat.messages(from_bots=True)]
    expected = [
        (Words(one).plain("upload.known"), [Words(one).plain("button.retry")]) for one in ("en", "zh")
    ]
    assert shown[-2:] == expected


async def test_in_a_comment_thread_each_of_them_answers_the_asker(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    channel = await telegram.people.new_chat("channel", "News", ada)
    talk = await telegram.people.new_chat("supergroup", "Talk", ada)
    await telegram.people.link(channel, talk)
    await ada.say("news", channel)
    (post,) = await talk.messages()
    asked = await ada.say("tell me more", talk, reply_to=post.id)
    responder = telegram.responder(telegram.job(talk.id, asked.id))
    await passing(telegram.clock, responder.send("answer", AgentMessage("word " * 2500)))
    pieces = await talk.messages(from_bots=True)
    assert len(pieces) >= 3
    assert {piece.json["reply_to_message"]["message_id"] for piece in pieces} == {asked.id}
    assert {piece.json["message_thread_id"] for piece in pieces} == {asked.json["message_thread_id"]}


@pytest.mark.parametrize(
    "words", ["can't parse entities: whatever", "ENTITY_BOUNDS_INVALID", "ENTITY_TEXTURL_INVALID"]
)
async def test_refused_entities_cost_the_looks_and_not_the_words(telegram: Telegram, words: str) -> None:
    await telegram.people.faults.error("sendMessage", code=400, description=f"Bad Request: {words}")
    _, messages = await said(telegram, AgentMessage("some **bold** words", RETRY))
    assert [seen.text for seen in messages] == ["some bold words"]
    assert "entities" not in messages[0].json
    assert messages[0].buttons
    assert await telegram.people.calls("editMessageText") == []


async def test_refused_tags_of_our_own_words_are_not_shown(telegram: Telegram) -> None:
    await telegram.people.faults.error(
        "sendMessage", code=400, description="Bad Request: can't parse entities: no end tag"
    )
    _, messages = await said(telegram, LocalizedMessage("projects.opened", {"name": "<90>"}))
    assert "Opened" in messages[0].text
    assert "<90>" in messages[0].text
    assert not re.search(r"</?b>|&\w+;", messages[0].text)


async def test_each_idempotency_key_is_sent_once(telegram: Telegram) -> None:
    checkpoints = Notebook()
    ada, _ = await said(telegram, AgentMessage("word " * 1500), checkpoints)
    responder = telegram.responder(telegram.job(ada.chat.id, 1), checkpoints)
    await responder.send("answer", AgentMessage("word " * 1500))
    assert len(await telegram.people.calls("sendMessage")) == 2
    await responder.send("ending", LocalizedMessage("job.cancelled"))
    assert len(await telegram.people.calls("sendMessage")) == 3


async def test_a_reaction_shows_on_the_request_unless_the_chat_takes_none(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    asked = await ada.say("Thanks!")
    responder = telegram.responder(telegram.job(ada.chat.id, asked.id))
    await telegram.people.faults.error(
        "setMessageReaction", code=400, description="Bad Request: REACTION_INVALID"
    )
    assert [await responder.react("❤") for _ in range(3)] == [False, True, True]
    (reaction,) = (await telegram.people.ask("state", bot=ada.chat.bot))["reactions"]
    assert (reaction["message"], reaction["reaction"]) == (asked.id, [{"type": "emoji", "emoji": "❤"}])


async def reactions(telegram: Telegram, chat: ChatHandle) -> list[str]:
    state = await telegram.people.ask("state", bot=chat.bot)
    return [one["emoji"] for seen in state["reactions"] for one in seen["reaction"]]


@pytest.mark.parametrize(("is_done", "left"), [(True, ["👌"]), (False, [])])
async def test_a_request_has_a_reaction_as_long_as_it_takes(
    telegram: Telegram, is_done: bool, left: list[str]
) -> None:
    ada = await telegram.people.person()
    asked = await ada.say("trim it")
    job = telegram.job(ada.chat.id, asked.id)
    responder = telegram.responder(job)
    await ActivitySignals(job, telegram.telegram_calls).acknowledge()
    assert await reactions(telegram, ada.chat) == ["👀"]
    assert await telegram.people.calls("sendChatAction") == []
    await responder.conclude(is_done=is_done)
    assert await reactions(telegram, ada.chat) == left


async def test_a_chat_that_takes_no_reactions_is_left_without(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    asked = await ada.say("trim it")
    await telegram.people.faults.error("setMessageReaction", code=403, description="Forbidden", times=9)
    signals = ActivitySignals(telegram.job(ada.chat.id, asked.id), telegram.telegram_calls)
    await signals.acknowledge()
    await signals.conclude(is_done=True)
    assert await reactions(telegram, ada.chat) == []
    assert len(await telegram.people.calls("sendChatAction")) == 1


async def test_a_pressed_button_gets_no_reaction(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    asked = await ada.say("trim it")
    job = replace(telegram.job(ada.chat.id, asked.id), is_press=True)
    signals = ActivitySignals(job, telegram.telegram_calls)
    await signals.acknowledge()
    await signals.conclude(is_done=True)
    assert await telegram.people.calls("setMessageReaction") == []
    assert len(await telegram.people.calls("sendChatAction")) == 1


async def test_what_somebody_wrote_stands_in_a_notice_as_text(telegram: Telegram) -> None:
    _, messages = await said(
        telegram, LocalizedMessage("projects.opened", {"name": "<b>&</b> <script>"}, RETRY)
    )
    assert "<b>&</b> <script>" in messages[0].text


async def test_a_quiet_notice_comes_without_a_sound(telegram: Telegram) -> None:
    await said(telegram, LocalizedMessage("edited.done", quiet=True))
    await said(telegram, LocalizedMessage("edited.begun"))
    calls = await telegram.people.calls("sendMessage")
    assert [str(call["params"]["disable_notification"]).lower() for call in calls] == ["true", "false"]


async def test_a_report_has_a_line_for_each(telegram: Telegram) -> None:
    lines = (
        LocalizedMessage("change.text", {"before": "<a>", "after": "b"}),
        LocalizedMessage("change.more", {"n": 2}),
    )
    _, (message,) = await said(telegram, ListMessage(LocalizedMessage("answer.silent_edit"), lines))
    assert len(message.text.splitlines()) == 3
    assert "“<a>”" in message.text


async def send_file(telegram: Telegram, name: str, content: bytes) -> Seen:
    ada = await telegram.people.person()
    await ada.start()
    checkpoints = Notebook()
    for _ in range(2):  # However often the job starts.
        responder = telegram.responder(telegram.job(ada.chat.id, 1), checkpoints)
        await passing(telegram.clock, responder.send_file("file.1.1", name, "image/png", content))
    (message,) = [seen for seen in await ada.chat.messages() if seen.json["from"]["is_bot"]]
    return message


@pytest.mark.parametrize("name", ["<b>cup</b>.png", "../../cup.exe", ""])
async def test_a_picture_of_the_agent_is_a_photo_with_a_safe_name(
    telegram: Telegram, tmp_path: Path, name: str
) -> None:
    picture = samples.make_photo(tmp_path / "cup.png", 64, 48).read_bytes()
    message = await send_file(telegram, name, picture)
    assert "photo" in message.json
    assert message.json["caption"].endswith(".png")
    assert not set("<>/") & set(message.json["caption"])
    assert "caption_entities" not in message.json


async def test_another_file_of_the_agent_keeps_its_name(telegram: Telegram) -> None:
    message = await send_file(telegram, "subs.srt", b"1\n00:00 --> 00:01\nHello\n")
    assert message.json["document"]["file_name"] == "subs.srt"


@pytest.mark.parametrize(
    "description", ["PHOTO_INVALID_DIMENSIONS", "not enough rights to send photos to the chat"]
)
async def test_a_picture_that_is_refused_as_a_photo_is_a_file(
    telegram: Telegram, tmp_path: Path, description: str
) -> None:
    await telegram.people.faults.error("sendPhoto", code=400, description=f"Bad Request: {description}")
    picture = samples.make_photo(tmp_path / "cup.png", 64, 48).read_bytes()
    message = await send_file(telegram, "cup.png", picture)
    assert message.json["document"]["file_name"] == "cup.png"


async def test_a_file_that_is_refused_altogether_is_told(telegram: Telegram) -> None:
    await telegram.people.faults.error("sendDocument", code=400, description="Bad Request: no", times=None)
    message = await send_file(telegram, "subs.srt", b"Hello")
    assert "subs.srt" in message.text


async def delete_message(
    telegram: Telegram, chat_id: int, message_id: int, *, only_buttons: bool = False
) -> None:
    responder = telegram.responder(telegram.job(chat_id, 1))
    await passing(telegram.clock, responder.delete_message(chat_id, message_id, only_buttons=only_buttons))


async def test_an_earlier_message_is_taken_away_however_often(telegram: Telegram) -> None:
    ada, (message,) = await said(
        telegram, LocalizedMessage("new.done", {"begin": "Send a video."}, buttons=RETRY)
    )
    for _ in range(2):
        await delete_message(telegram, ada.chat.id, message.id)
    assert [m for m in await ada.chat.messages() if m.json["from"]["is_bot"]] == []
    assert await telegram.people.calls("editMessageReplyMarkup") == []


@pytest.mark.parametrize("only_buttons", [False, True])
async def test_one_that_may_not_be_deleted_loses_its_buttons(telegram: Telegram, only_buttons: bool) -> None:
    ada, (message,) = await said(
        telegram, LocalizedMessage("new.done", {"begin": "Send a video."}, buttons=RETRY)
    )
    assert message.buttons
    await telegram.people.faults.error(
        "deleteMessage", code=400, description="Bad Request: message can't be deleted for everyone", times=2
    )
    for _ in range(2):
        await delete_message(telegram, ada.chat.id, message.id, only_buttons=only_buttons)
    (left,) = [m for m in await ada.chat.messages() if m.json["from"]["is_bot"]]
    assert not left.buttons
    assert len(await telegram.people.calls("deleteMessage")) == (0 if only_buttons else 2)


@pytest.mark.parametrize("only_buttons", [False, True])
async def test_nothing_is_taken_from_the_supergroup_that_the_group_became(
    telegram: Telegram, only_buttons: bool
) -> None:
    ada = await telegram.people.person()
    group = await telegram.people.new_chat("group", "Film club", ada, bot="administrator")
    moved = await group.migrate(ada)
    for word in ("one", "two", "three"):
        await ada.say(word, moved)
    before = [(m.id, m.text) for m in await moved.messages()]
    for message_id, _ in before:
        await delete_message(telegram, group.id, message_id, only_buttons=only_buttons)
    assert [(m.id, m.text) for m in await moved.messages()] == before


async def test_what_a_group_without_the_topic_does_not_take_is_told_in_private(
    telegram: Telegram, clip: Path
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    forum = await telegram.people.new_chat("supergroup", "Forum", ada)
    job = telegram.job(forum.id, None, 5, requester_id=ada.id, chat_title="Forum")
    responder = telegram.responder(job)
    await telegram.people.faults.error(
        "sendMessage",
        "sendVideo",
        "sendDocument",
        code=400,
        description="Bad Request: TOPIC_CLOSED",
        chat_id=forum.id,
        times=None,
    )
    await passing(telegram.clock, responder.send("answer", AgentMessage("I cut it.", RETRY)))
    result = a_result(clip, size_bytes=1000)
    delivered = await passing(telegram.clock, responder.deliver("delivered", result))
    # It is kept for no version: the group has not seen it.
    assert (delivered.telegram_chat_id, delivered.file_id) == (ada.chat.id, "")
    answer, video = [seen for seen in await ada.chat.messages(from_bots=True)][-2:]
    assert (answer.text, answer.buttons) == ("I cut it.", [])
    assert "video" in video.json


async def test_of_a_private_messages_buttons_links_go_with_it_and_others_stay_in_the_group(
    telegram: Telegram,
) -> None:
    ada = await telegram.people.person()
    await ada.start()
    club = await telegram.people.new_chat("supergroup", "Film club", ada)
    link = Button("button.sign_in", url="https://nemovideo.example/mine")
    message = PrivateMessage(LocalizedMessage("error.unexpected", buttons=(*RETRY, link)))
    job = telegram.job(club.id, None, requester_id=ada.id, chat_title="Film club")
    await passing(telegram.clock, telegram.responder(job).send("ending", message))
    in_group = (await club.messages(from_bots=True))[-1]
    in_private = (await ada.chat.messages(from_bots=True))[-1]
    english = Words("en")
    assert in_private.buttons == [english.plain("button.sign_in")]
    assert in_group.buttons == [english.plain(key) for key in ("button.private_chat", "button.retry")]


async def test_a_person_who_can_not_be_reached_either_does_not_end_the_job(telegram: Telegram) -> None:
    ada = await telegram.people.person()
    forum = await telegram.people.new_chat("supergroup", "Forum", ada)
    job = telegram.job(forum.id, None, 5, requester_id=ada.id, chat_title="Forum")
    await telegram.people.faults.error(
        "sendMessage", code=400, description="Bad Request: TOPIC_CLOSED", times=None
    )
    await passing(telegram.clock, telegram.responder(job).send("answer", LocalizedMessage("answer.done")))
    assert len(await telegram.people.calls("sendMessage")) > 2
