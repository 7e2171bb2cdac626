"""Inline mode at the stand-in: what is taken for an answer, and what becomes of a result."""

from typing import Any

import pytest

from .conftest import HandClock, Sandbox, Start

GONE = "Bad Request: query is too old and response timeout expired or query ID is invalid"
ARTICLE: dict[str, Any] = {
    "type": "article",
    "id": "a",
    "title": "Hi",
    "input_message_content": {"message_text": "Hello"},
}


async def typed(sandbox: Sandbox, **switches: bool) -> tuple[Any, str]:
    """Let somebody type something behind the bot's name; return them and the query's ID."""
    ada = await sandbox.people.person("Ada")
    await ada.open()
    await sandbox.people.ask("set_bot", inline=True, **switches)
    query = await sandbox.people.ask("inline_query", user=ada.id, query="cats")
    return ada, query["id"]


async def test_without_inline_mode_nobody_can_ask(sandbox: Sandbox) -> None:
    ada = await sandbox.people.person("Ada")
    with pytest.raises(Exception, match="inline mode is disabled"):
        await sandbox.people.ask("inline_query", user=ada.id, query="cats")
    assert not (await sandbox.bot.get_me()).supports_inline_queries


async def test_a_result_is_sent_in_the_persons_name(sandbox: Sandbox) -> None:
    ada, query_id = await typed(sandbox, inline_feedback=True)
    (update,) = await sandbox.bot.get_updates()
    assert update.inline_query is not None
    assert (update.inline_query.query, update.inline_query.from_user.id) == ("cats", ada.id)
    body = await sandbox.call("answerInlineQuery", inline_query_id=query_id, results=[ARTICLE])
    assert body["ok"]
    friends = await sandbox.people.new_chat("group", "Friends", ada, bot="")
    sent = await ada.pick({"id": query_id}, "a", friends)
    assert (sent.text, sent.json["via_bot"]["id"]) == ("Hello", sandbox.bot.id)
    (chosen,) = await sandbox.bot.get_updates(update.update_id + 1)
    assert chosen.chosen_inline_result is not None
    assert chosen.chosen_inline_result.result_id == "a"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"results": {"a": 1}}, "can't parse inline query results: expected an Array of InlineQueryResult"),
        ({"results": [{**ARTICLE, "id": str(n)} for n in range(51)]}, "RESULTS_TOO_MUCH"),
        ({"results": [{**ARTICLE, "id": ""}]}, "RESULT_ID_INVALID"),
        ({"results": [{**ARTICLE, "id": "é" * 33}]}, "RESULT_ID_INVALID"),
        ({"results": [ARTICLE, ARTICLE]}, "RESULT_ID_DUPLICATE"),
        (
            {"results": [{"type": "video", "id": "v", "title": "x", "video_file_id": "nonsense"}]},
            "wrong remote file identifier specified: Wrong padding in the string",
        ),
        (
            {"results": [{"type": "video", "id": "v", "video_file_id": "x"}]},
            'can\'t parse inline query result: field "title" must be non-empty',
        ),
        ({"results": [], "button": {"text": "x", "start_parameter": "a b"}}, "START_PARAM_INVALID"),
        (
            {"results": [], "button": {"text": "x"}},
            "inline query results button must have exactly one optional field",
        ),
    ],
)
async def test_answers_that_are_refused(sandbox: Sandbox, values: dict[str, Any], words: str) -> None:
    _, query_id = await typed(sandbox)
    refusal = await sandbox.refusal("answerInlineQuery", inline_query_id=query_id, **values)
    assert refusal == f"Bad Request: {words}"


async def test_a_query_is_answered_once_and_in_time(start: Start) -> None:
    clock = HandClock()
    sandbox = await start(clock=clock)
    _, first = await typed(sandbox)
    assert (await sandbox.call("answerInlineQuery", inline_query_id=first, results=[]))["ok"]
    assert await sandbox.refusal("answerInlineQuery", inline_query_id=first, results=[]) == GONE
    _, late = await typed(sandbox)
    clock.pass_time(31)
    assert await sandbox.refusal("answerInlineQuery", inline_query_id=late, results=[]) == GONE
