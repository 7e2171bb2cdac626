"""Methods of a chat's admins: members, links, and what the chat is called. They need the bot's right to do so."""

import secrets
from collections.abc import Callable
from typing import Any

from bot.sandbox.botapi.context import Context, Handler, method
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.membership import ADMIN_RIGHTS, MEMBER_RIGHTS, set_member
from bot.sandbox.botapi.state import Chat, Json

_RESTRICT = "not enough rights to restrict/unrestrict chat member"
_MORE_RIGHTS = ("can_pin_messages", "can_manage_topics", "can_post_messages", "can_edit_messages")
_INVITE = "not enough rights to manage chat invite link"


def method_of_admins(
    name: str, right: str, words: str
) -> Callable[[Callable[[Context, Chat], Any]], Handler]:
    """Register a method for bots that are admins with a right; others are refused in Telegram's words."""

    def register(run: Callable[[Context, Chat], Any]) -> Handler:
        async def call(context: Context) -> Any:
            chat = context.chat()
            member = chat.members.get(context.bot.id, {})
            if member.get("status") != "administrator" or member.get(right) is False:
                raise bad_request(words)
            result = run(context, chat)
            context.world.changes.notify()
            return result

        return method(name)(call)

    return register


def _set_status(context: Context, chat: Chat, status: str, rights: Json | None = None) -> bool:
    user_id = context.params.integer("user_id")
    if context.world.user(user_id) is None:
        raise bad_request("invalid user_id specified")
    if chat.status(user_id) == "creator":
        raise bad_request("can't remove chat owner")
    set_member(context.world, chat, user_id, status, context.bot.user, rights or {})
    return True


@method_of_admins("banChatMember", "can_restrict_members", _RESTRICT)
def ban_chat_member(context: Context, chat: Chat) -> Any:
    """Remove a member for good."""
    return _set_status(context, chat, "kicked")


@method_of_admins("unbanChatMember", "can_restrict_members", _RESTRICT)
def unban_chat_member(context: Context, chat: Chat) -> Any:
    """Let somebody join again; a member is removed, unless only the banned are meant."""
    is_banned = chat.status(context.params.integer("user_id")) == "kicked"
    return (not is_banned and context.params.flag("only_if_banned")) or _set_status(context, chat, "left")


@method_of_admins("restrictChatMember", "can_restrict_members", _RESTRICT)
def restrict_chat_member(context: Context, chat: Chat) -> Any:
    """Take rights from a member, or give them back."""
    if chat.type != "supergroup":
        raise bad_request("method is available only for supergroups")
    given = context.params.json("permissions", "ChatPermissions") or {}
    rights = {name: bool(given.get(name)) for name in MEMBER_RIGHTS}
    return _set_status(context, chat, "member" if all(rights.values()) else "restricted", rights)


@method_of_admins("promoteChatMember", "can_promote_members", "not enough rights")
def promote_chat_member(context: Context, chat: Chat) -> Any:
    """Make a member an admin; without any right an ordinary member again."""
    rights = {name: context.params.flag(name) for name in (*ADMIN_RIGHTS, *_MORE_RIGHTS)}
    is_admin = any(rights.values())
    return _set_status(context, chat, "administrator" if is_admin else "member", rights if is_admin else {})


@method_of_admins("setChatTitle", "can_change_info", "not enough rights to change chat title")
def set_chat_title(context: Context, chat: Chat) -> Any:
    """Rename the chat."""
    title = context.params.text("title").strip()
    if not title:
        raise bad_request("title must be non-empty")
    chat.json["title"] = title[:128]
    return True


@method_of_admins("setChatDescription", "can_change_info", "not enough rights to set chat description")
def set_chat_description(context: Context, chat: Chat) -> Any:
    """Describe the chat."""
    if chat.json.get("description", "") == (text := context.params.text("description")):
        raise bad_request("chat description is not modified")
    chat.json["description"] = text[:255]
    return True


def _link(context: Context, url: str) -> Json:
    revoked = context.params.text("invite_link") == url
    return {
        "invite_link": url,
        "creator": context.bot.user,
        "creates_join_request": context.params.flag("creates_join_request"),
        "is_primary": False,
        "is_revoked": revoked and not context.params.has("name"),
    }


@method_of_admins("exportChatInviteLink", "can_invite_users", _INVITE)
def export_chat_invite_link(context: Context, chat: Chat) -> Any:
    """Return a new link to join."""
    return f"https://t.me/+{secrets.token_urlsafe(12)}"


def _new_link(context: Context, chat: Chat) -> Any:
    return _link(context, f"https://t.me/+{secrets.token_urlsafe(12)}")


def _known_link(context: Context, chat: Chat) -> Any:
    if not (url := context.params.text("invite_link")):
        raise bad_request("invite link must be non-empty")
    return _link(context, url)


for _name in ("createChatInviteLink", "createChatSubscriptionInviteLink"):
    method_of_admins(_name, "can_invite_users", _INVITE)(_new_link)
for _name in ("editChatInviteLink", "editChatSubscriptionInviteLink", "revokeChatInviteLink"):
    method_of_admins(_name, "can_invite_users", _INVITE)(_known_link)


def _done(context: Context, chat: Chat) -> Any:
    return True


for _name, _right, _words in (
    ("banChatSenderChat", "can_restrict_members", _RESTRICT),
    ("unbanChatSenderChat", "can_restrict_members", _RESTRICT),
    ("setChatPermissions", "can_restrict_members", _RESTRICT),
    ("setChatAdministratorCustomTitle", "can_promote_members", "not enough rights"),
    ("setChatMemberTag", "can_promote_members", "not enough rights"),
    ("setChatPhoto", "can_change_info", "not enough rights to change chat photo"),
    ("deleteChatPhoto", "can_change_info", "not enough rights to change chat photo"),
    ("deleteAllMessageReactions", "can_delete_messages", "not enough rights to delete reactions"),
    ("deleteMessageReaction", "can_delete_messages", "not enough rights to delete reactions"),
):
    method_of_admins(_name, _right, _words)(_done)
