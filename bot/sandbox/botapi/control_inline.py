"""Actions of the control API for inline mode: somebody types behind the bot's name, and picks what it offers."""

from typing import Any

from bot.sandbox.botapi import people
from bot.sandbox.botapi.control import action, the_bot, the_chat, the_user
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.state import World


@action
async def inline_query(world: World, params: Params) -> Any:
    """Type ``query`` behind the bot's name as ``user``, and return its ID; the bot has to be set up for inline mode."""
    bot, user = the_bot(world, params), the_user(world, params)
    if not bot.inline:
        raise bad_request("inline mode is disabled for the bot")
    query = world.add_inline_query(bot, user["id"], params.text("query"))
    payload = {"id": query.id, "from": user, "query": query.words, "offset": params.text("offset")}
    world.send_update(bot, "inline_query", {**payload, "chat_type": params.text("chat_type", "group")})
    return {"id": query.id}


@action
async def inline_answer(world: World, params: Params) -> Any:
    """Return the bot's answer to the inline query ``id``, or null without one."""
    query = world.inline_queries.get(params.text("id"))
    if query is None:
        raise bad_request("no such inline query")
    return await world.changes.wait_for(lambda: query.answer, params.number("timeout_s") or 0)


@action
async def pick(world: World, params: Params) -> Any:
    """Send the result ``result`` (its ID) of the inline query ``id`` to ``chat``, as who typed it.

    With inline feedback switched on, the bot learns which result was chosen.
    """
    query, bot = world.inline_queries.get(params.text("id")), the_bot(world, params)
    content = (
        None if query is None or query.answer is None else query.answer["contents"].get(params.text("result"))
    )
    if query is None or content is None:
        raise bad_request("no such result")
    user = world.user(query.user_id)
    assert user is not None  # noqa: S101 - who typed is still there
    message = people.write(world, the_chat(world, params), user, content, more={"via_bot": bot.user})
    if bot.inline_feedback:
        chosen = {"result_id": params.text("result"), "from": user, "query": query.words}
        world.send_update(bot, "chosen_inline_result", chosen)
    return message.json
