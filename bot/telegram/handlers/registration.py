"""All handlers, in the order in which PTB asks them: of one group it runs the first that fits."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from bot.chats.access_control import AccessControl
from bot.chats.telegram_ids import TelegramIds
from bot.jobs.ports import GroupAdmins
from bot.telegram.handlers.access import AccessGuard
from bot.telegram.handlers.admin import AdminCommands
from bot.telegram.handlers.button_presses import OLD_BUTTON, ButtonPresses, Press, PressReply
from bot.telegram.handlers.cancel import CancelHandlers
from bot.telegram.handlers.chat_settings import SettingsHandlers
from bot.telegram.handlers.edited_messages import EditedMessageHandlers
from bot.telegram.handlers.groups import GroupHandlers
from bot.telegram.handlers.ignored_messages import IgnoredMessages
from bot.telegram.handlers.job_buttons import JobButtons
from bot.telegram.handlers.job_commands import JobCommands
from bot.telegram.handlers.job_submitter import JobSubmitter
from bot.telegram.handlers.language import LanguageHandlers
from bot.telegram.handlers.login import DeleteMessage, LoginHandlers
from bot.telegram.handlers.permissions import Permissions
from bot.telegram.handlers.privacy import PrivacyHandlers
from bot.telegram.handlers.requests import RequestHandlers
from bot.telegram.handlers.skills import SkillHandlers
from bot.telegram.handlers.start_help import StartHelpHandlers
from bot.telegram.reading.file_refusals import FileRefusals
from bot.telegram.receiving.application import AnyApplication
from bot.telegram.sending.pressed_messages import PressedMessages
from bot.words.phrases import PhraseAction


@dataclass(frozen=True, slots=True)
class HandlerServices:
    """What the handlers use.

    Args:
        submitter: Stores jobs, and knows chats, cards and queues.
        access: Tells who may use the bot.
        group_admins: Lists the admins of groups.
        refusals: Tells which files can't be used.
        telegram_ids: Keeps under which id a group is known that has moved.
        messages: Answers presses and edits their messages.
        delete_message: Deletes a message that should not be seen.
        admins: Ids of the people who run the bot.
    """

    submitter: JobSubmitter
    access: AccessControl
    group_admins: GroupAdmins
    refusals: FileRefusals
    telegram_ids: TelegramIds
    messages: PressedMessages
    delete_message: DeleteMessage
    admins: Collection[int] = ()


def register_handlers(application: AnyApplication, services: HandlerServices) -> None:
    """Add all handlers. Those of messages skip channel posts and edits: a request is charged once."""
    submitter, permissions = services.submitter, Permissions(services.group_admins)
    presses = ButtonPresses(submitter, services.messages)
    AccessGuard(submitter, services.access, presses).register(application)
    IgnoredMessages(submitter).register(application)
    AdminCommands(submitter, services.access, services.admins).register(application)
    login = LoginHandlers(submitter, services.delete_message)
    login.register(application)
    start_help = StartHelpHandlers(submitter, login)
    start_help.register(application)
    commands = JobCommands(submitter)
    commands.register(application, presses)
    cancel = CancelHandlers(submitter, permissions)
    cancel.register(application, presses)
    LanguageHandlers(submitter, permissions).register(application, presses)
    SettingsHandlers(submitter, permissions).register(application, presses)
    SkillHandlers(submitter, permissions).register(application, presses)
    PrivacyHandlers(submitter, permissions).register(application, presses)
    JobButtons(submitter, permissions).register(application, presses)
    requests = RequestHandlers(
        submitter,
        services.refusals,
        login,
        {
            PhraseAction.EXPORT: partial(commands.run, "export"),
            PhraseAction.CREDITS: partial(commands.run, "credits"),
            PhraseAction.STATUS: partial(commands.run, "status"),
            PhraseAction.NEW: partial(commands.run, "new"),
            PhraseAction.SETTINGS: partial(commands.run, "settings"),
            PhraseAction.HELP: start_help.help,
            PhraseAction.CANCEL: cancel.cancel,
        },
    )
    requests.register_edit(application)
    start_help.register_unknown(application)
    requests.register_messages(application)
    EditedMessageHandlers(submitter, permissions).register(application, presses)
    GroupHandlers(submitter, services.telegram_ids).register(application)
    application.add_handler(presses.handler(_unknown_press))


async def _unknown_press(press: Press, action: object) -> PressReply:
    return OLD_BUTTON
