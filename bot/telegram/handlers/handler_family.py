"""What all handlers are made with, and the base of those of one family of commands and buttons."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from telegram import Update
from telegram.ext import MessageHandler, filters

from bot.chats.access_control import AccessControl
from bot.chats.telegram_ids import TelegramIds
from bot.jobs.buttons import ButtonAction
from bot.jobs.queue.operator_alerts import OperatorAlerts
from bot.telegram.handlers.button_presses import ButtonPresses, HandlePress
from bot.telegram.handlers.command_handler import TextCommandHandler
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.permissions import Permissions
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import AnyApplication, Context
from bot.telegram.sending.guest_messages import GuestMessages

HandleMessage: TypeAlias = Callable[[Update, Context], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class HandlerServices:
    """What the handlers use."""

    application: AnyApplication  # PTB's application, to which handlers are added
    submitter: JobSubmitter  # stores jobs, and knows chats, cards and queues
    permissions: Permissions  # tells who may change or stop what
    access: AccessControl  # tells who may use the bot
    refusals: FileRefusals  # tells which files can't be used
    telegram_ids: TelegramIds  # keeps under which id a group is known that has moved
    presses: ButtonPresses  # reads and answers presses
    guests: GuestMessages  # answers where the bot is a guest
    tokens_link: str  # where people copy their API token
    alerts: OperatorAlerts  # tells admins of troubles
    admins: Collection[int] = ()  # ids of the people who run the bot


class HandlerFamily:
    """Base of the handlers of one family."""

    def __init__(self, services: HandlerServices) -> None:
        self._services = services
        self._submitter = services.submitter
        self._permissions = services.permissions

    def on_command(self, name: str, handle: HandleMessage, which: filters.BaseFilter = filters.ALL) -> None:
        """Add the handler of a command in new messages: a request is charged once, so edits are skipped."""
        messages = filters.UpdateType.MESSAGE & which
        self._services.application.add_handler(TextCommandHandler(name, handle, filters=messages))

    def on_message(self, which: filters.BaseFilter, handle: HandleMessage, group: int = 0) -> None:
        """Add a handler of new messages; of a group of handlers PTB runs the first that fits."""
        messages = filters.UpdateType.MESSAGE & which
        self._services.application.add_handler(MessageHandler(messages, handle), group)

    def on_press(self, handle: HandlePress, *actions: type[ButtonAction]) -> None:
        """Add the handler of the buttons with these actions."""
        self._services.application.add_handler(self._services.presses.handler(handle, *actions))
