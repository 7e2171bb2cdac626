"""Commands of the operators, in their private chats with the bot; for everybody else they do not exist."""

from telegram import Message, MessageOriginChannel, MessageOriginChat, MessageOriginUser, Update
from telegram.ext import filters

from bot.jobs.messages import LocalizedMessage, UncutText
from bot.jobs.model import JobKind
from bot.jobs.payloads import AnnouncePayload
from bot.telegram.handlers.access import ForwardedCommand
from bot.telegram.handlers.handler_family import HandlerFamily, Handlers, TextCommandHandler, text_command
from bot.telegram.receiving.application import Context

MAX_ANNOUNCEMENT_CHARS = 3000  # the longest announcement; with its frame it has to fit into one message


class AdminCommands(HandlerFamily):
    """Handles ``/stats``, ``/ban``, ``/unban``, ``/pause``, ``/resume``, ``/alerts`` and ``/announce``."""

    def _handlers(self) -> Handlers:
        # A command that another person wrote and they forward is not theirs.
        asked = filters.ChatType.PRIVATE & filters.User(user_id=self._services.admins) & ~ForwardedCommand()
        return [
            TextCommandHandler("stats", self._stats, asked),
            TextCommandHandler(("ban", "unban"), self._ban, asked),
            TextCommandHandler("pause", self._pause, asked),
            TextCommandHandler("resume", self._resume, asked),
            TextCommandHandler("alerts", self._alerts, asked),
            TextCommandHandler("announce", self._announce, asked),
        ]

    async def _stats(self, update: Update, context: Context) -> None:
        await self._submitter.submit(update, JobKind.STATS)

    async def _ban(self, update: Update, context: Context) -> None:
        command, person_id = text_command(update), _person_meant(update.message, context)
        if command is None or person_id is None:
            return await self._submitter.reply(update, LocalizedMessage("admin.ban_how"))
        if command.name == "unban":
            await self._services.access.unban(person_id)
            key = "admin.unbanned"
        else:
            key = "admin.banned" if await self._services.access.ban(person_id) else "admin.ban_refused"
        await self._submitter.reply(update, LocalizedMessage(key, {"id": str(person_id)}))

    async def _pause(self, update: Update, context: Context) -> None:
        await self._job_queue.pause()
        await self._submitter.reply(update, LocalizedMessage("admin.paused"))

    async def _resume(self, update: Update, context: Context) -> None:
        await self._job_queue.resume()
        await self._submitter.reply(update, LocalizedMessage("admin.resumed"))

    async def _alerts(self, update: Update, context: Context) -> None:
        alerts, admin = self._services.alerts, update.effective_user
        if admin is None:
            return
        wanted = context.args[0].lower() if context.args else ""
        if wanted in ("on", "off"):
            await alerts.switch(admin.id, on=wanted == "on")
        key, command = (
            ("admin.alerts_on", "/alerts off")
            if await alerts.is_on(admin.id)
            else ("admin.alerts_off", "/alerts on")
        )
        await self._submitter.reply(update, LocalizedMessage(key, {"command": command}))

    async def _announce(self, update: Update, context: Context) -> None:
        text = (
            (update.message.text if update.message and update.message.text else "").partition(" ")[2].strip()
        )
        if not text or len(text) > MAX_ANNOUNCEMENT_CHARS:
            return await self._submitter.reply(
                update, LocalizedMessage("admin.announce_how", {"most": MAX_ANNOUNCEMENT_CHARS})
            )
        announcement = AnnouncePayload(message=LocalizedMessage("admin.word", {"text": UncutText(text)}))
        await self._submitter.submit(update, JobKind.ANNOUNCE, announcement)
        return None


def _person_meant(message: Message | None, context: Context) -> int | None:
    """Return the person or chat to ban: given by id, or by a reply to a forwarded message of theirs."""
    if context.args:
        try:
            return int(context.args[0])
        except ValueError:
            return None
    replied = message.reply_to_message if message is not None else None
    match replied.forward_origin if replied is not None else None:
        case MessageOriginUser(sender_user=user):
            return int(user.id)
        case MessageOriginChat(sender_chat=chat) | MessageOriginChannel(chat=chat):
            return int(chat.id)
    return None
