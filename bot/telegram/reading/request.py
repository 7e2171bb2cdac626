"""What a message means: its words, files and links, what it quotes, and whether it is for the bot."""

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from telegram import Message, MessageEntity, MessageOriginUser, TextQuote, User
from telegram.constants import ChatType, MessageLimit

from bot.job_types import GROUP_ADMIN_MENU, OPERATOR_COMMANDS, PRIVATE_MENU
from bot.jobs.messages import LocalizedMessage, Param
from bot.jobs.model import Attachment
from bot.jobs.queue.album import PARAGRAPH, RequestPart
from bot.media.links import MAX_LINKS, RefusalReason, find_links
from bot.telegram.reading.addressing import is_reply
from bot.telegram.reading.attachments import attachment_elsewhere, attachment_of, still_of
from bot.telegram.reading.commands import (
    EDIT,
    MISTYPED,
    NEW,
    Command,
    as_words,
    find_command,
    mentions,
    nearest_command,
    without_mention,
)
from bot.words import bounded
from bot.words.phrases import says_nothing

_HARMLESS = (
    RefusalReason.STREAMING_SITE,
    RefusalReason.MUSIC_SITE,
    RefusalReason.SHARE_PAGE,
    RefusalReason.TELEGRAM_MESSAGE,
)
"""Reasons why a link can't be fetched that do not forbid naming it in a request."""

_SHOWN_LINK_CHARS = 80


@dataclass(frozen=True, slots=True)
class RequestLinks:
    """A request and its links."""

    prompt: str  # the words without the links to media; a page that may be media stays in them
    media: tuple[str, ...] = ()  # the links to upload
    warning: LocalizedMessage | None = None  # what to say about links that can't be fetched, if anything
    is_refused: bool = False  # whether the request ends with that: nothing is passed on
    offered: str = ""  # the words that can be run without the refused links, on what the project has


def read_links(text: str, *, has_file: bool = False) -> RequestLinks:
    """Take the links out of a request.

    Args:
        text: Its words.
        has_file: Whether it comes with a file, which it is about then: a link that can't be fetched, or that may be a
            page, is only mentioned.
    """
    found = find_links(text)
    has_media = has_file or bool(found.media)
    has_links = bool(found.media or found.pages or found.refused)
    # Links and nothing else ask for nothing.
    rest = "" if has_links and says_nothing(found.words) else found.rest
    if not found.refused:
        if has_media or not found.pages:
            return RequestLinks(rest if has_links else text, found.media)
        return RequestLinks(rest and text, found.pages)
    first = found.refused[0]
    forbidden = next((one for one in found.refused if one.reason not in _HARMLESS), None)
    if forbidden is not None:
        # A message may have several links.
        params: dict[str, Param] = {"most": MAX_LINKS, "link": bounded(forbidden.url, _SHOWN_LINK_CHARS)}
        return RequestLinks("", (), LocalizedMessage(f"link.{forbidden.reason}", params), is_refused=True)
    if has_media:
        return RequestLinks(rest, found.media, LocalizedMessage("link.left_out", {"site": first.site}))
    warning = LocalizedMessage(f"link.{first.reason}", {"site": first.site})
    # What the words mean is not there, and the project's current clip may be another one.
    return RequestLinks("", (), warning, is_refused=True, offered=rest and found.words.strip())


def answer_in(text: str) -> str:
    """Return the words that may answer a question; empty if a link in them brings a file, or must not be passed on."""
    found = find_links(text)
    is_file = bool(found.media) or any(one.reason not in _HARMLESS for one in found.refused)
    return "" if is_file else text.strip()


_SCHEMES = ("http://", "https://", "tg://")
"""How links to media and to messages begin; a request ignores others that aren't refused, such as mailto:."""

_PERSON = "tg://user"
"""Links to people, which older clients write for mentions."""


def with_addresses(text: str, entities: Sequence[MessageEntity], bot: User | None = None) -> str:
    """Return a text in which every address of its entities is written out, so that it is read like any other.

    Args:
        text: The text.
        entities: Its entities; their offsets count UTF-16 units.
        bot: The bot, if words that link to it are to be read as a mention of it.
    """
    data = text.encode("utf-16-le")
    # From the last to the first, so that the offsets of the others stay right.
    for entity in sorted(entities, key=lambda one: one.offset + one.length, reverse=True):
        start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
        written = data[start:end].decode("utf-16-le", "ignore")
        names_bot = bot is not None and _names(bot, entity, written)
        address = f"@{bot.username}" if bot is not None and names_bot else _address(entity, written)
        if not address or address == written:
            continue
        # Words that look like an address may lie about it.
        is_instead = names_bot or entity.type == MessageEntity.URL or "://" in written
        before, after = data[: start if is_instead else end], data[end:]
        space = "" if not after or after.decode("utf-16-le", "ignore")[:1].isspace() else " "
        data = before + f"{'' if is_instead else ' '}{address}{space}".encode("utf-16-le") + after
    return data.decode("utf-16-le", "replace")


def _names(bot: User, entity: MessageEntity, written: str) -> bool:
    """Return whether an entity stands for the bot, as clients write it for people without a name of their own."""
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == bot.id
    address = written if entity.type == MessageEntity.URL else entity.url or ""
    return bool(bot.username) and _bot_link(bot.username or "", bot.id).fullmatch(address) is not None


@functools.cache
def _bot_link(username: str, bot_id: int) -> re.Pattern[str]:
    name = re.escape(username)
    return re.compile(
        rf"(?:https?://)?(?:t|telegram)\.(?:me|dog)/{name}/?(?:\?\S*)?|tg://(?:resolve\?domain={name}|user\?id={bot_id})",
        re.IGNORECASE,
    )


def entities_within(entities: Sequence[MessageEntity], start: int, length: int) -> list[MessageEntity]:
    """Return the entities inside a piece of a text, with the offsets that they have in it.

    Args:
        entities: Those of the whole text.
        start: Where the piece begins, in UTF-16 units.
        length: Its length in UTF-16 units.
    """
    return [
        MessageEntity(one.type, one.offset - start, one.length, url=one.url, user=one.user)
        for one in entities
        if start <= one.offset and one.offset + one.length <= start + length
    ]


def _address(entity: MessageEntity, written: str) -> str:
    if entity.url:
        address = entity.url.lower()
        is_link = address.startswith(_SCHEMES) or bool(find_links(entity.url).refused)
        return entity.url if is_link and not address.startswith(_PERSON) else ""
    # With a path: Telegram also takes "clip.mov" for a link.
    if entity.type == MessageEntity.URL and "://" not in written and "/" in written:
        return f"https://{written}"
    return ""


_CUT_EARLIER = 100
"""How many characters before the brim clients cut a long text at most, at the end of a word."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a message asks for."""

    is_addressed: bool  # whether it is for the bot: in private, in reply to it, with its name or a command
    command: Command | None  # the command that it begins with; ``None`` if that was another person's
    prompt: str  # the words, without command, mention and links to media; not cut
    part: RequestPart  # the message itself with its file, or with the file of a message in another chat that it answers
    still: Attachment | None = None  # the photo of a live photo, whose moving part is its file
    replied: RequestPart | None = None  # the answered message with its file, if the request is about that
    links: tuple[str, ...] = ()  # links to media that belong to the request
    context: str = ""  # what it quotes, or the words of the answered message if the agent does not know them
    left_out: tuple[LocalizedMessage, ...] = ()  # what can't be used, and why
    is_refused: bool = False  # whether nothing can be run because of `left_out`
    offered: str = ""  # the words that can be run all the same, on what the project has

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The files: its own, or the answered message's."""
        return (self.replied or self.part).files

    @property
    def is_edit(self) -> bool:
        """Return whether it begins with the command whose words are a request."""
        return self.command is not None and self.command.name == EDIT


def read_request(message: Message, bot: User, *, agent_knows_replied: bool = False) -> Request:
    """Read a message, new or edited, with text or caption.

    Args:
        message: The message.
        bot: The bot.
        agent_knows_replied: Whether the agent knows the words of the answered message: it was the last to say them, or
            they were a request.
    """
    username = bot.username or ""
    is_own = not is_from_others(message)
    text = words_of(message, bot)
    stated = find_command(text, username)
    command = stated if is_own else None
    part, replied = _parts(message, bot)
    context = _context(message, bot, agent_knows_replied=agent_knows_replied)
    has_file = bool(part.files) or replied is not None
    # A command does not make a mention part of the words. A forwarded request is one without its command.
    is_stated = stated is not None and (is_own or stated.name == EDIT)
    words = without_mention(stated.words if stated is not None and is_stated else text, username)
    if command is not None and message.caption and _is_in_words(command):
        command, words = None, as_words(without_mention(text, username))
    links = read_links(words, has_file=has_file)
    if not is_own and part.files:
        # The file is what was forwarded; links in another person's text bring and refuse nothing.
        links = RequestLinks(links.prompt)
    elif not is_own and links.prompt:
        # A link to a page in another person's words isn't a file.
        links = replace(links, media=find_links(text).media)
    if context and not has_file and not links.media and not links.is_refused:
        is_marked = message.quote is not None and bool(message.quote.is_manual)
        is_bots = _answers_bot(message, bot) and not (is_marked and not words)
        links = _with_answered(links, context, is_bots=is_bots)
        is_call = not words and bool(message.text) and (stated is None or stated.name == EDIT)
        if is_call and is_own and not is_bots and not links.is_refused:
            # The bot was only called: the request is what was answered.
            links, context = replace(links, prompt=read_links(context).prompt), ""
    left_out: tuple[LocalizedMessage, ...] = () if links.warning is None else (links.warning,)
    if command is not None and command.name not in (EDIT, NEW) and message.caption:
        # The agent would charge for the command; the file is used all the same.
        left_out += (LocalizedMessage("error.command_in_caption", {"command": command.written}),)
    unreadable = _unreadable(message)
    if unreadable is None and message.reply_to_message is not None and is_reply(message):
        unreadable = _unreadable(message.reply_to_message, is_answered=True)
    if unreadable is not None and not has_file and not links.media:
        left_out, links = (
            (unreadable,),
            RequestLinks(links.prompt, is_refused=True, offered=links.offered or links.prompt.strip()),
        )
    return Request(
        is_addressed=_is_addressed(message, text, command, bot, is_own=is_own),
        command=command,
        prompt=links.prompt.strip(),
        part=part,
        still=still_of(message),
        replied=replied,
        links=links.media,
        context=context,
        left_out=left_out,
        is_refused=links.is_refused,
        offered=links.offered if is_own else "",
    )


def _is_in_words(command: Command) -> bool:
    """Return whether a command that a caption begins with is none: without its name the words would be cut short."""
    if command.bot or command.name in _COMMANDS:
        return False
    nearest = nearest_command(command.name, _COMMANDS, MISTYPED)
    return nearest is None or command.name.startswith(nearest)


_COMMANDS = frozenset((*PRIVATE_MENU, *GROUP_ADMIN_MENU, *OPERATOR_COMMANDS, "start"))
"""Every command that the bot has."""

_WITHOUT_WORDS = ("contact", "dice", "game", "giveaway", "invoice", "location", "poll", "venue")
"""Contents without words or a file. By itself such a message may be meant for anybody."""


def _unreadable(message: Message, *, is_answered: bool = False) -> LocalizedMessage | None:
    """Name the content of a message that Telegram hides from bots, or that can't be a request; else ``None``."""
    for holder, is_subject in ((message, is_answered), (message.external_reply, True)):
        for kind in ("story", "paid_media", "checklist"):
            if getattr(holder, kind, None) is not None:
                return LocalizedMessage(f"error.{kind}")
        if is_subject and any(getattr(holder, kind, None) is not None for kind in _WITHOUT_WORDS):
            return LocalizedMessage("error.unsupported")
    if message.reply_to_story is not None:
        return LocalizedMessage("error.story")
    return LocalizedMessage("error.reply_unseen") if _answers_unseen(message) else None


def _answers_unseen(message: Message) -> bool:
    """Return whether a message answers words in another chat that Telegram shows nothing of."""
    elsewhere = message.external_reply
    return elsewhere is not None and not _with_preview(message, message.quote.text if message.quote else "")


def _with_answered(links: RequestLinks, context: str, *, is_bots: bool) -> RequestLinks:
    """Return a request's links with those of the answered words, which it is about."""
    if is_bots:
        return links
    answered = read_links(context)
    if answered.is_refused:
        return replace(answered, offered=links.prompt.strip())
    # A link to a page among other words isn't a file.
    return replace(links, media=find_links(context).media if answered.prompt else answered.media)


def words_of(message: Message, bot: User | None = None) -> str:
    """Return the text or caption of a message, with the addresses behind its words.

    Args:
        message: The message.
        bot: The bot, if links to it are to be read as mentions of it.
    """
    if message.text:
        return with_addresses(message.text, message.entities, bot)
    return with_addresses(message.caption or "", message.caption_entities, bot)


def digest_of(message: Message) -> str:
    """Return a digest of a message's words and file: Telegram tells of edits that change neither."""
    file = attachment_of(message)
    content = f"{'' if file is None else file.unique_id} {words_of(message)}"
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def is_from_others(message: Message) -> bool:
    """Return whether a message was forwarded and not written by who forwards it."""
    origin = message.forward_origin
    if origin is None:
        return False
    return not (isinstance(origin, MessageOriginUser) and origin.sender_user == message.from_user)


def sent_at(message: Message) -> int:
    """Return when a message was sent, in whole seconds of Telegram's clock."""
    return int(message.date.timestamp())


def _is_addressed(message: Message, text: str, command: Command | None, bot: User, *, is_own: bool) -> bool:
    # With a file, only the commands for requests call the bot.
    if command is not None and (command.bot or command.name in (EDIT, NEW) or message.text):
        return command.is_for(bot.username or "")
    if message.chat.type == ChatType.PRIVATE or _answers_bot(message, bot):
        return True
    return is_own and mentions(text, bot.username or "")


def _answers_bot(message: Message, bot: User) -> bool:
    replied = message.reply_to_message
    return replied is not None and is_reply(message) and _is_from(replied, bot.id)


def _is_from(message: Message, user_id: int) -> bool:
    return message.from_user is not None and message.from_user.id == user_id


def _parts(message: Message, bot: User) -> tuple[RequestPart, RequestPart | None]:
    own = _part(message, attachment_of(message), bot)
    if own.files:
        spoken = message.voice or message.video_note
        answered = message.reply_to_message if spoken and not message.caption and is_reply(message) else None
        if answered is None or (_is_from(answered, bot.id) and answered.photo):
            return own, None
        return replace(own, spoken_about=_part(answered, attachment_of(answered), bot).files), None
    if (file := attachment_elsewhere(message)) is not None:
        return replace(own, files=(file,), file_unique_id=file.unique_id), None
    replied = message.reply_to_message
    if replied is None or not is_reply(message) or (file := attachment_of(replied)) is None:
        return own, None
    is_ours = _is_from(replied, bot.id)
    if is_ours and replied.photo:
        return own, None  # The photos that the bot sends are drawings of the timeline.
    return own, _part(replied, file, bot)


def _part(message: Message, file: Attachment | None, bot: User) -> RequestPart:
    if file is not None and _is_from(message, bot.id):
        # All results have the same name.
        file = replace(file, name=f"video_{message.message_id}.mp4", is_result=True)
    return RequestPart(
        message.message_id,
        sent_at(message),
        files=() if file is None else (file,),
        file_unique_id="" if file is None else file.unique_id,
        album=message.media_group_id or "",
        is_forwarded=message.forward_origin is not None,
        is_own=not is_from_others(message),
        glue=_glue(message.text or ""),
    )


def _glue(text: str) -> str:
    """Return what joins a text to the next message's: less than a paragraph if a client has cut a long text."""
    length = len(text.encode("utf-16-le")) // 2
    if length >= MessageLimit.MAX_TEXT_LENGTH:
        return ""
    # Clients like to cut at a space or a line's end, which the server takes away.
    return " " if length >= MessageLimit.MAX_TEXT_LENGTH - _CUT_EARLIER else PARAGRAPH


def _context(message: Message, bot: User, *, agent_knows_replied: bool) -> str:
    """Return the words that a message is about: those that were marked, or all of the answered message."""
    quote, replied = message.quote, message.reply_to_message if is_reply(message) else None
    if quote is not None and quote.text and (quote.is_manual or not agent_knows_replied):
        return _with_preview(message, _quoted(quote, replied))
    is_result = replied is not None and _is_from(replied, bot.id) and attachment_of(replied) is not None
    if is_result or agent_knows_replied:
        return ""
    return _with_preview(message, "").strip() if replied is None else words_of(replied).strip()


def _quoted(quote: TextQuote, replied: Message | None) -> str:
    """Return marked words with the addresses behind them: quotes come without those, answered messages have them."""
    entities = quote.entities or ()
    if replied is not None:
        length = len(quote.text.encode("utf-16-le")) // 2
        whole = replied.entities or replied.caption_entities
        entities = (*entities, *entities_within(whole, quote.position, length))
    return with_addresses(quote.text, entities).strip()


def _with_preview(message: Message, quoted: str) -> str:
    """Add the link that the answered message of another chat shows a preview of, unless the words have it."""
    elsewhere = message.external_reply
    preview = None if elsewhere is None else elsewhere.link_preview_options
    url = None if preview is None else preview.url
    return f"{quoted} {url}" if isinstance(url, str) and url not in quoted else quoted
