"""PTB's handler of commands, for those too that Telegram does not mark as commands."""

from typing import Any

from telegram import Message, Update
from telegram.constants import ChatType
from telegram.ext import CommandHandler, filters

from bot.telegram.reading.commands import Command, find_command
from bot.telegram.receiving.application import Context
from bot.words.phrases import command_for


class TextCommandHandler(CommandHandler[Context, Any]):
    """Handles a command at the beginning of a text, whether Telegram has made an entity of it or not."""

    def check_update(self, update: object) -> bool | tuple[list[str], bool | dict[str, Any]] | None:
        """See ``CommandHandler``."""
        command = text_command(update) if isinstance(update, Update) else None
        if command is None or command.name not in self.commands:
            return None
        passed = self.filters.check_update(update) if isinstance(update, Update) else False
        return (command.words.split(), passed) if passed else False


class CommandInCaption(filters.MessageFilter):
    """A caption that begins with a command, by whoever wrote it: PTB's command handlers read no captions."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def filter(self, message: Message) -> bool:
        """See ``MessageFilter``."""
        command = find_command(message.caption or "", message.get_bot().username)
        return command is not None and command.name == self._name


def text_command(update: Update) -> Command | None:
    """Return the command for this bot that a text begins with, or is in words; ``None`` if there is none."""
    message = update.effective_message
    if message is None or not message.text:
        return None
    username = message.get_bot().username
    command = find_command(message.text, username)
    if command is None and message.chat.type == ChatType.PRIVATE and message.forward_origin is None:
        name = command_for(message.text)
        return None if name is None else Command(name, f"/{name}", "", "")
    return command if command is not None and command.is_for(username) else None
