"""Actions of the control API that change something: ``POST /control/<action>`` with JSON, or multipart for files.

Actions take parameters as the Bot API does and answer JSON; a refusal is a 400 with ``{"error": ...}``.
``bot`` is a bot's ID, by default the first bot's; ``user`` is the ID of the person who acts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bot.sandbox.botapi import media, membership, people
from bot.sandbox.botapi.entities import MAX_CAPTION, MAX_TEXT, check_entities, utf16_len
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.flood import FloodLimits
from bot.sandbox.botapi.params import Params
from bot.sandbox.botapi.state import Bot, Chat, Json, Message, World

Action = Callable[[World, Params], Awaitable[Any]]

ACTIONS: dict[str, Action] = {}
"""All actions by name; :mod:`control_reads` adds those that only read."""


def action(run: Action) -> Action:
    """Register an action under its function's name."""
    ACTIONS[run.__name__] = run
    return run


def the_bot(world: World, params: Params) -> Bot:
    """Return the bot that the parameters name."""
    found = world.bot_by_id(params.integer("bot")) if params.has("bot") else next(iter(world.bots.values()))
    if found is None:
        raise bad_request("no such bot")
    return found


def the_chat(world: World, params: Params, name: str = "chat") -> Chat:
    """Return the chat that a parameter names; a person's ID means their private chat with the bot."""
    found = world.find_chat(the_bot(world, params), params.integer(name))
    if found is None:
        raise bad_request("no such chat")
    return found


def the_user(world: World, params: Params, name: str = "user") -> Json:
    """Return the person or bot that a parameter names."""
    found = world.user(params.integer(name))
    if found is None:
        raise bad_request("no such user")
    return found


def the_message(world: World, params: Params, chat: Chat | None = None) -> Message:
    """Return the message that the parameters name."""
    found = (chat or the_chat(world, params)).find_message(params.integer("message"))
    if found is None:
        raise bad_request("no such message")
    return found


@action
async def add_user(world: World, params: Params) -> Any:
    """Create a person: ``first_name``, ``language_code``, ``is_premium`` and any other field of ``User``."""
    return world.add_user(**params.values)


@action
async def add_bot(world: World, params: Params) -> Any:
    """Create a bot: ``token``, ``username``, ``privacy``."""
    values = dict(params.values)
    return world.add_bot(values.pop("token"), **values).user


@action
async def set_bot(world: World, params: Params) -> Any:
    """Change what people set at @BotFather: ``privacy``, ``topics`` in private, ``inline``, its feedback, ``guest``."""
    bot = the_bot(world, params)
    for name in ("privacy", "topics", "inline", "inline_feedback", "guest"):
        if params.has(name):
            setattr(bot, name, params.flag(name))
    return bot.user


@action
async def add_chat(world: World, params: Params) -> Any:
    """Create a chat: ``type``, ``title``, ``username``, ``is_forum``, ``creator``, ``members`` (user IDs)."""
    kind: Any = params.text("type", "supergroup")
    forum = True if params.flag("is_forum") else None
    username = params.text("username") or None
    chat = world.add_chat(kind, params.text("title", "A chat"), username=username, is_forum=forum)
    if params.has("creator"):
        chat.members[the_user(world, params, "creator")["id"]] = {"status": "creator"}
    for member in params.json("members", "members") or []:
        chat.members[int(member)] = {"status": "member"}
    return chat.json


@action
async def open_private(world: World, params: Params) -> Any:
    """Open the private chat of ``user`` with the bot, as if it had been started long ago."""
    return world.private_chat(the_bot(world, params), the_user(world, params)).json


@action
async def add_topic(world: World, params: Params) -> Any:
    """Create a topic of a forum, or of a private chat of a bot with ``topics``, by ``name``."""
    chat = the_chat(world, params)
    thread_id = membership.add_topic(world, chat, the_user(world, params), params.text("name", "Topic"))
    return {"message_thread_id": thread_id}


@action
async def close_topic(world: World, params: Params) -> Any:
    """Close topic ``thread``: only admins may write to it."""
    the_chat(world, params).closed_topics.add(params.integer("thread"))
    return True


@action
async def link_chats(world: World, params: Params) -> Any:
    """Make ``chat`` (a supergroup) the discussion group of ``channel``."""
    group, channel = the_chat(world, params), the_chat(world, params, "channel")
    group.linked, channel.linked = channel.id, group.id
    return True


@action
async def set_member(world: World, params: Params) -> Any:
    """Set the ``status`` and ``rights`` of ``member`` (an ID) in ``chat``; ``silent`` sends no updates."""
    by = the_user(world, params) if params.has("user") else the_user(world, params, "member")
    membership.set_member(
        world,
        the_chat(world, params),
        params.integer("member"),
        params.text("status", "member"),
        by,
        params.json("rights", "rights") or {},
        notify=not params.flag("silent"),
    )
    return True


@action
async def block(world: World, params: Params) -> Any:
    """Block the bot for ``user``, or unblock it with ``blocked`` false."""
    blocked = not params.has("blocked") or params.flag("blocked")
    membership.set_blocked(world, the_bot(world, params), the_user(world, params), blocked)
    return True


@action
async def migrate(world: World, params: Params) -> Any:
    """Turn a basic group into a supergroup."""
    return membership.migrate(world, the_chat(world, params), the_user(world, params)).json


async def content_of(world: World, params: Params) -> Json:
    """Return the content that a person sends: ``text``, or ``kind`` with ``file`` or ``file_id``, and ``caption``.

    A live photo has its photo as ``still``; a video may have smaller versions as ``quality_0`` and so on, with their
    ``codecs``.

    ``media`` overrides fields of the media object, as a lying client does; ``extra`` is put into the message as it is.
    """
    given = check_entities(params.json("entities", "entities"))
    extra = params.json("extra", "extra") or {}
    kind = params.text("kind")
    if not kind:
        content = people.text_content(params.text("text"), given)
        if utf16_len(content.get("text", "")) > MAX_TEXT:
            raise bad_request("a client splits texts of this length")
        if not content and not extra:
            raise bad_request("there is nothing to write")
        return {**content, **extra}
    if "file" in params.uploads:
        source = media.from_upload(params.uploads["file"])
        thumbnail = params.uploads.get("thumbnail")
        content = await media.store_media(
            world.files, kind, source, params, thumbnail, probed_bytes=source.size
        )
    else:
        content = media.from_stored(world.files.find(params.text("file_id"), 0), kind)
    if "still" in params.uploads:
        content = await media.add_still(world.files, content, params.uploads["still"])
    for number, codec in enumerate(params.json("codecs", "codecs") or ()):
        quality = params.uploads[f"quality_{number}"]
        content[kind] = await asyncio.to_thread(media.add_quality, world.files, content[kind], quality, codec)
    lies = params.json("media", "media")
    if lies and isinstance(content[kind], dict):
        content[kind] = {**content[kind], **lies}
    caption = people.text_content(params.text("caption"), given, "caption")
    if utf16_len(caption.get("caption", "")) > MAX_CAPTION * 4:
        raise bad_request("the caption is too long even for premium users")
    return {**content, **caption, **extra}


def _where(params: Params) -> dict[str, Any]:
    album = params.text("album")
    return {
        "sent_as": params.text("sent_as"),
        "thread_id": params.integer("thread"),
        "reply_to": params.integer("reply_to"),
        "reply_to_topic": params.flag("reply_to_topic"),
        "quote": params.text("quote"),
        "more": {"media_group_id": album} if album else {},
    }


@action
async def write(world: World, params: Params) -> Any:
    """Send as ``user`` to ``chat``: ``text`` or a file, ``thread``, ``reply_to``, ``quote``, ``sent_as``, ``album``.

    A first message to a bot opens the private chat.
    """
    user = the_user(world, params)
    if params.integer("chat") == user["id"]:
        world.private_chat(the_bot(world, params), user)
    chat = the_chat(world, params)
    content = await content_of(world, params)
    return people.write(world, chat, user, content, **_where(params)).json


@action
async def forward(world: World, params: Params) -> Any:
    """Forward ``message`` of ``source`` to ``chat`` as ``user``; ``hidden`` conceals its author."""
    user = the_user(world, params)
    source = the_chat(world, params, "source")
    if params.integer("chat") == user["id"]:
        world.private_chat(the_bot(world, params), user)
    chat = the_chat(world, params)
    message = the_message(world, params, source)
    hidden = params.flag("hidden")
    return people.forward(world, source, message, chat, user, hidden=hidden, **_where(params)).json


@action
async def forward_all(world: World, params: Params) -> Any:
    """Forward ``messages`` (IDs) of ``source`` at once as ``user``, after a ``comment``."""
    user = the_user(world, params)
    source = the_chat(world, params, "source")
    if params.integer("chat") == user["id"]:
        world.private_chat(the_bot(world, params), user)
    chat = the_chat(world, params)
    sent = []
    if comment := params.text("comment"):
        sent.append(people.write(world, chat, user, people.text_content(comment, []), **_where(params)))
    for number in params.json("messages", "messages") or []:
        message = source.find_message(int(number))
        if message is None:
            raise bad_request("no such message")
        sent.append(people.forward(world, source, message, chat, user, **_where(params)))
    return [message.json for message in sent]


@action
async def edit(world: World, params: Params) -> Any:
    """Edit ``message`` as its author: new ``text``, ``caption`` or file."""
    chat = the_chat(world, params)
    message = the_message(world, params, chat)
    if not params.has("kind") and media.kind_in(message.json):
        given = check_entities(params.json("entities", "entities"))
        content = people.text_content(params.text("caption"), given, "caption")
    else:
        content = await content_of(world, params)
    people.edit(world, chat, message, content)
    return message.json


@action
async def delete(world: World, params: Params) -> Any:
    """Delete ``message`` as its author; bots get no update."""
    world.delete(the_message(world, params))
    return True


@action
async def press(world: World, params: Params) -> Any:
    """Press the button ``button`` (its text, a part of it, or its data) of ``message`` as ``user``.

    ``data`` sends that data instead, even without such a button, as a forged client can. A button with a URL
    only answers ``{"url": ...}``.
    """
    chat = the_chat(world, params)
    message = the_message(world, params, chat)
    data = params.text("data")
    if not data:
        button = _button(message.json, params.text("button"))
        if "callback_data" not in button:
            return button
        data = button["callback_data"]
    return {"callback": people.press(world, chat, message, the_user(world, params), data)}


def _button(message: Json, wanted: str) -> Json:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    buttons: list[Json] = [button for row in rows for button in row]
    for button in buttons:
        if wanted in {button["text"], button.get("callback_data")}:
            return button
    for button in buttons:
        if wanted and wanted.lower() in button["text"].lower():
            return button
    raise bad_request(f"no button {wanted!r} among {[button['text'] for button in buttons]}")


@action
async def react(world: World, params: Params) -> Any:
    """Set the reaction of ``user`` to ``message`` to ``emoji`` (a list)."""
    chat = the_chat(world, params)
    emoji = params.json("emoji", "emoji") or []
    people.react(world, chat, the_message(world, params, chat), the_user(world, params), emoji)
    return True


@action
async def send_update(world: World, params: Params) -> Any:
    """Send any JSON as ``update``, with or without an ``update_id``."""
    return the_bot(world, params).queue.add_raw(params.json("update", "update"))


@action
async def repeat_update(world: World, params: Params) -> Any:
    """Deliver the update ``update_id``, by default the latest, again with the same ID."""
    queue = the_bot(world, params).queue
    wanted = params.integer("update_id")
    for update in reversed(queue.made):
        if wanted in {0, update["update_id"]}:
            return queue.add_raw(update)
    raise bad_request("no such update")


@action
async def fault(world: World, params: Params) -> Any:
    """Switch on a fault: ``methods``, ``action``, ``when``, ``times`` and what the action needs.

    See :class:`~bot.sandbox.botapi.journal.Fault`; ``times`` null means for good.
    """
    values = dict(params.values)
    methods = values.pop("methods", None) or []
    return world.journal.switch_on([methods] if isinstance(methods, str) else methods, **values).json()


@action
async def release(world: World, params: Params) -> Any:
    """Release the calls that fault ``id`` holds and hold no more; ``drop`` closes their connections."""
    for one in world.journal.faults:
        if one.id == params.integer("id"):
            one.drop_on_release = params.flag("drop")
            world.journal.switch_off(one.id)
            return True
    raise bad_request("no such fault")


@action
async def clear_faults(world: World, params: Params) -> Any:
    """Remove all faults."""
    world.journal.switch_off()
    return True


@action
async def lose_file(world: World, params: Params) -> Any:
    """Delete the content of ``file_id``: ``getFile`` refuses it from now on."""
    world.files.find(params.text("file_id"), 0).path.unlink(missing_ok=True)
    return True


@action
async def flood_limits(world: World, params: Params) -> Any:
    """Turn flood limits ``off``, or on with the given values."""
    world.flood.limits = None if params.flag("off") else FloodLimits(**params.values)
    return True
