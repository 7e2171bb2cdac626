"""Methods about topics, of forums and of private chats."""

from typing import Any

from bot.sandbox.botapi.context import Context, method
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.membership import add_topic
from bot.sandbox.botapi.state import GENERAL_TOPIC, Chat

_MAX_NAME = 128


def _forum(context: Context) -> Chat:
    """Return the chat, which has topics that the bot may manage.

    Raises:
        ApiError: The chat has no topics, or the bot lacks the right.
    """
    chat = context.chat()
    if chat.type == "private":
        if not context.bot.topics:
            raise bad_request("the chat is not a forum")
        return chat
    if not chat.is_forum:
        raise bad_request("the chat is not a forum")
    member = chat.members.get(context.bot.id, {})
    if member.get("status") != "administrator" or member.get("can_manage_topics") is False:
        raise bad_request("not enough rights to manage topics")
    return chat


def _topic(context: Context) -> tuple[Chat, int]:
    chat = _forum(context)
    thread_id = context.params.integer("message_thread_id")
    if thread_id not in chat.topics or (chat.is_forum and thread_id == GENERAL_TOPIC):
        raise bad_request("TOPIC_ID_INVALID")
    return chat, thread_id


def _name(context: Context) -> str:
    name = context.params.text("name").strip()
    if not name:
        raise bad_request("title must be non-empty")
    return name[:_MAX_NAME]


@method("createForumTopic", sends=True)
async def create_forum_topic(context: Context) -> Any:
    """Open a topic."""
    chat, name = _forum(context), _name(context)
    thread_id = add_topic(context.world, chat, context.bot.user, name)
    created = chat.messages[thread_id].json["forum_topic_created"]
    return {"message_thread_id": thread_id, **created}


@method("editForumTopic")
async def edit_forum_topic(context: Context) -> Any:
    """Rename a topic; its icon is not kept."""
    chat, thread_id = _topic(context)
    if context.params.has("name"):
        name = _name(context)
        if chat.topics[thread_id] == name:
            raise bad_request("TOPIC_NOT_MODIFIED")
        chat.topics[thread_id] = name
    context.world.changes.notify()
    return True


def _set_closed(chat: Chat, thread_id: int, closed: bool) -> bool:
    if chat.type == "private":
        raise bad_request("the chat is not a supergroup")
    if (thread_id in chat.closed_topics) is closed:
        raise bad_request("TOPIC_NOT_MODIFIED")
    (chat.closed_topics.add if closed else chat.closed_topics.remove)(thread_id)
    return True


@method("closeForumTopic")
async def close_forum_topic(context: Context) -> Any:
    """Close a topic."""
    return _set_closed(*_topic(context), closed=True)


@method("reopenForumTopic")
async def reopen_forum_topic(context: Context) -> Any:
    """Reopen a topic."""
    return _set_closed(*_topic(context), closed=False)


@method("closeGeneralForumTopic")
async def close_general_forum_topic(context: Context) -> Any:
    """Close the topic "General"."""
    return _set_closed(_forum(context), GENERAL_TOPIC, closed=True)


@method("reopenGeneralForumTopic")
async def reopen_general_forum_topic(context: Context) -> Any:
    """Reopen the topic "General"."""
    return _set_closed(_forum(context), GENERAL_TOPIC, closed=False)


@method("hideGeneralForumTopic")
async def hide_general_forum_topic(context: Context) -> Any:
    """Hide the topic "General", which closes it too."""
    return _set_hidden(_forum(context), hidden=True)


@method("unhideGeneralForumTopic")
async def unhide_general_forum_topic(context: Context) -> Any:
    """Show the topic "General" again."""
    return _set_hidden(_forum(context), hidden=False)


def _set_hidden(chat: Chat, *, hidden: bool) -> bool:
    if chat.is_general_hidden is hidden:
        raise bad_request("TOPIC_NOT_MODIFIED")
    chat.is_general_hidden = hidden
    if hidden:
        chat.closed_topics.add(GENERAL_TOPIC)
    return True


@method("unpinAllGeneralForumTopicMessages")
async def unpin_all_general_forum_topic_messages(context: Context) -> Any:
    """Unpin the messages of the topic "General"."""
    chat = _forum(context)
    chat.pinned = [number for number in chat.pinned if "message_thread_id" in chat.messages[number].json]
    return True


@method("deleteForumTopic")
async def delete_forum_topic(context: Context) -> Any:
    """Delete a topic with its messages."""
    chat, thread_id = _topic(context)
    for message in chat.messages.values():
        if message.json.get("message_thread_id") == thread_id and message.deleted is None:
            context.world.delete(message)
    del chat.topics[thread_id]
    chat.closed_topics.discard(thread_id)
    context.world.changes.notify()
    return True


@method("editGeneralForumTopic")
async def edit_general_forum_topic(context: Context) -> Any:
    """Rename the topic "General"."""
    chat = _forum(context)
    chat.topics[GENERAL_TOPIC] = _name(context)
    return True


@method("unpinAllForumTopicMessages")
async def unpin_all_forum_topic_messages(context: Context) -> Any:
    """Unpin a topic's messages."""
    chat, thread_id = _topic(context)
    chat.pinned = [
        number for number in chat.pinned if chat.messages[number].json.get("message_thread_id") != thread_id
    ]
    return True
