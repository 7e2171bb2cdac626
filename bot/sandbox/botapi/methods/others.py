"""Methods that bots of this kind rarely use: places, contacts, polls, dice, and lists that are empty here."""

import secrets
from typing import Any

from bot.sandbox.botapi.context import Context, Handler, method
from bot.sandbox.botapi.errors import bad_request
from bot.sandbox.botapi.methods.sending import post_message
from bot.sandbox.botapi.state import Json

_DICE = {"🎲": 6, "🎯": 6, "🎳": 6, "🏀": 5, "⚽": 5, "🎰": 64}
_MAX_OPTIONS = 12

_EMPTY: dict[str, Json | list[Json]] = {
    "getUserProfilePhotos": {"total_count": 0, "photos": []},
    "getUserProfileAudios": {"total_count": 0, "audios": []},
    "getUserChatBoosts": {"boosts": []},
    "getUserPersonalChatMessages": [],
    "getUserGifts": {"total_count": 0, "gifts": []},
    "getChatGifts": {"total_count": 0, "gifts": []},
    "getAvailableGifts": {"gifts": []},
    "getMyStarBalance": {"amount": 0},
    "getStarTransactions": {"transactions": []},
    "getCustomEmojiStickers": [],
    "getForumTopicIconStickers": [],
}


def _empty(result: Any) -> Handler:
    async def read(_: Context) -> Any:
        return result

    return read


for _name, _result in _EMPTY.items():
    method(_name)(_empty(_result))


def _location(context: Context) -> Json:
    latitude, longitude = context.params.number("latitude"), context.params.number("longitude")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        raise bad_request("invalid location specified" if latitude is not None else "latitude is empty")
    return {"latitude": latitude, "longitude": longitude}


@method("sendLocation", sends=True)
async def send_location(context: Context) -> Any:
    """Send a place."""
    chat = context.chat()
    return post_message(context, chat, {"location": _location(context)}).json


@method("sendVenue", sends=True)
async def send_venue(context: Context) -> Any:
    """Send a place with its title and address."""
    chat, params = context.chat(), context.params
    place = _location(context)
    if not params.text("title"):
        raise bad_request("venue title must be non-empty")
    venue = {"location": place, "title": params.text("title"), "address": params.text("address")}
    return post_message(context, chat, {"location": place, "venue": venue}).json


@method("sendContact", sends=True)
async def send_contact(context: Context) -> Any:
    """Send a phone number."""
    chat, params = context.chat(), context.params
    if not params.text("phone_number"):
        raise bad_request("contact phone number must be non-empty")
    if not params.text("first_name"):
        raise bad_request("contact first name must be non-empty")
    names = ("phone_number", "first_name", "last_name", "vcard")
    contact = {name: params.text(name) for name in names if params.text(name)}
    return post_message(context, chat, {"contact": contact}).json


@method("sendDice", sends=True)
async def send_dice(context: Context) -> Any:
    """Send a die with a random value."""
    chat = context.chat()
    emoji = context.params.text("emoji", "🎲")
    if emoji not in _DICE:
        raise bad_request("wrong dice emoji specified")
    return post_message(
        context, chat, {"dice": {"emoji": emoji, "value": secrets.randbelow(_DICE[emoji]) + 1}}
    ).json


@method("sendPoll", sends=True)
async def send_poll(context: Context) -> Any:
    """Send a poll; people can't vote in it."""
    chat, params = context.chat(), context.params
    given = params.json("options", "options")
    if not isinstance(given, list) or not 1 <= len(given) <= _MAX_OPTIONS:
        raise bad_request("poll must have at least 1 option")
    if not params.text("question"):
        raise bad_request("poll question must be non-empty")
    texts = [str(one.get("text", "")) if isinstance(one, dict) else str(one) for one in given]
    if not all(texts):
        raise bad_request("poll options must be non-empty")
    poll = {
        "id": str(secrets.randbits(62)),
        "question": params.text("question"),
        "options": [
            {"persistent_id": str(number), "text": text, "voter_count": 0}
            for number, text in enumerate(texts)
        ],
        "total_voter_count": 0,
        "is_closed": params.flag("is_closed"),
        "is_anonymous": not params.has("is_anonymous") or params.flag("is_anonymous"),
        "type": params.text("type", "regular"),
        "allows_multiple_answers": params.flag("allows_multiple_answers"),
        "allows_revoting": params.flag("allows_revoting"),
        "members_only": params.flag("members_only"),
    }
    return post_message(context, chat, {"poll": poll}).json


@method("stopPoll")
async def stop_poll(context: Context) -> Any:
    """Close a poll of the bot's own."""
    message = context.chat().find_message(context.params.integer("message_id"))
    if message is None or "poll" not in message.json:
        raise bad_request("message with poll to stop not found")
    poll = message.json["poll"]
    if poll["is_closed"]:
        raise bad_request("poll has already been closed")
    poll["is_closed"] = True
    context.world.changes.notify()
    return poll
