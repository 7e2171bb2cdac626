"""Membership: join, leave, block, rights, and the migration to a supergroup."""

from typing import Any

from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.people import announce
from bot.sandbox.botapi.state import Bot, Chat, Json, World

_PRESENT = frozenset({"member", "administrator", "creator", "restricted"})
ADMIN_RIGHTS = [
    "can_manage_chat",
    "can_delete_messages",
    "can_manage_video_chats",
    "can_restrict_members",
    "can_promote_members",
    "can_change_info",
    "can_invite_users",
    "can_post_stories",
    "can_edit_stories",
    "can_delete_stories",
    "can_send_welcome_messages",
]
MEMBER_RIGHTS = [
    "can_send_messages",
    "can_send_audios",
    "can_send_documents",
    "can_send_photos",
    "can_send_videos",
    "can_send_video_notes",
    "can_send_voice_notes",
    "can_send_polls",
    "can_send_other_messages",
    "can_add_web_page_previews",
    "can_edit_tag",
    "can_react_to_messages",
    "can_change_info",
    "can_invite_users",
    "can_pin_messages",
    "can_manage_topics",
]


def complete_member(member: Json) -> Json:
    """Return a ``ChatMember`` with every field that its status requires."""
    match member["status"]:
        case "creator":
            return {"is_anonymous": False, **member}
        case "administrator":
            return {
                **dict.fromkeys(ADMIN_RIGHTS, True),
                "can_be_edited": False,
                "is_anonymous": False,
                **member,
            }
        case "restricted":
            return {**dict.fromkeys(MEMBER_RIGHTS, False), "is_member": True, "until_date": 0, **member}
        case "kicked":
            return {"until_date": 0, **member}
    return member


def set_member(
    world: World, chat: Chat, member_id: int, status: str, by: Json, rights: Json, *, notify: bool = True
) -> None:
    """Set a member's status in a chat.

    Args:
        world: The server's state.
        chat: The chat.
        member_id: ID of the person or bot.
        status: The new status, as in ``ChatMember``.
        by: The user who does it.
        rights: Further fields of the ``ChatMember``.
        notify: Whether bots get updates of it.
    """
    user = world.user(member_id)
    if user is None:
        raise bad_request("no such user")
    before = dict(chat.members.get(member_id, {"status": "left"}))
    if chat.type == "channel" and status == "administrator":
        rights = {"can_post_messages": True, "can_edit_messages": True, **rights}
    after = {"status": status, **rights}
    was_in, is_in = before["status"] in _PRESENT, status in _PRESENT
    bot = world.bot_by_id(member_id)
    chat.members[member_id] = after
    if notify:
        _notify(world, chat, user, bot, (before, after), by)
        if chat.type in {"group", "supergroup"} and was_in != is_in:
            what = {"new_chat_members": [user]} if is_in else {"left_chat_member": user}
            actor = user if status == "left" else by
            announce(world, chat, world.post(chat, {"from": dict(actor), **what}))
    world.changes.notify()


def _notify(
    world: World, chat: Chat, user: Json, bot: Bot | None, change: tuple[Json, Json], by: Json
) -> None:
    old, new = ({"user": user, **member} for member in change)
    payload = {
        "chat": dict(chat.json),
        "from": by,
        "date": world.now(),
        "old_chat_member": complete_member(old),
        "new_chat_member": complete_member(new),
    }
    if bot is not None:
        world.send_update(bot, "my_chat_member", payload)
    for other in list(world.bots_in(chat)):
        if other is not bot and chat.status(other.id) == "administrator":
            world.send_update(other, "chat_member", payload)


def set_blocked(world: World, bot: Bot, user: Json, blocked: bool) -> None:
    """Block a bot for a person, or unblock it."""
    chat = world.private_chat(bot, user)
    if chat.blocked == blocked:
        return
    chat.blocked = blocked
    before, after = {"status": "member"}, {"status": "kicked"}
    _notify(world, chat, bot.user, bot, (before, after) if blocked else (after, before), user)


def migrate(world: World, chat: Chat, by: Json) -> Chat:
    """Turn a basic group into a supergroup with a new ID and two service messages."""
    if chat.type != "group" or chat.migrated_to is not None:
        raise bad_request("only a basic group can become a supergroup")
    new = world.add_chat("supergroup", str(chat.json["title"]))
    new.last_message_id = 0
    new.members = {user_id: dict(member) for user_id, member in chat.members.items()}
    leaving = world.post(chat, {"from": dict(by), "migrate_to_chat_id": new.id})
    announce(world, chat, leaving)
    chat.migrated_to = new.id
    announce(world, new, world.post(new, {"from": dict(by), "migrate_from_chat_id": chat.id}))
    return new


def add_topic(world: World, chat: Chat, by: Json, name: str) -> int:
    """Create a topic and return its ID, which is that of its first message."""
    if not chat.is_forum and chat.type != "private":
        raise bad_request("the chat is not a forum")
    created: dict[str, Any] = {"name": name, "icon_color": 7322096}
    message = world.post(chat, {"from": dict(by), "forum_topic_created": created})
    thread_id = int(message.json["message_id"])
    message.json |= {"message_thread_id": thread_id, "is_topic_message": True}
    chat.topics[thread_id] = name
    announce(world, chat, message)
    return thread_id
