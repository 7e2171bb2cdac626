"""All handlers, in the order in which PTB asks them: it runs the first that fits."""

from telegram.ext import CallbackQueryHandler

from bot.telegram.handlers.access import AccessGuard
from bot.telegram.handlers.admin import AdminCommands
from bot.telegram.handlers.brand import BrandHandlers
from bot.telegram.handlers.cancel import CancelHandlers
from bot.telegram.handlers.channel_posts import ChannelPosts
from bot.telegram.handlers.chat_settings import SettingsHandlers
from bot.telegram.handlers.edited_messages import EditedMessageHandlers
from bot.telegram.handlers.group_events import GroupHandlers
from bot.telegram.handlers.guest_mode import GuestModeHandlers
from bot.telegram.handlers.handler_family import HandlerServices
from bot.telegram.handlers.inline import InlineHandlers
from bot.telegram.handlers.job_buttons import JobButtons
from bot.telegram.handlers.login import LoginHandlers
from bot.telegram.handlers.privacy import PrivacyHandlers
from bot.telegram.handlers.projects import ProjectHandlers
from bot.telegram.handlers.question_answers import QuestionHandlers
from bot.telegram.handlers.requests import RequestHandlers
from bot.telegram.handlers.skills import SkillHandlers
from bot.telegram.handlers.start_help import StartHelpHandlers
from bot.telegram.handlers.templates import TemplateHandlers
from bot.telegram.handlers.versions import VersionHandlers

_FAMILIES = (
    AccessGuard,
    GuestModeHandlers,
    AdminCommands,
    LoginHandlers,
    CancelHandlers,
    StartHelpHandlers,
    ProjectHandlers,
    VersionHandlers,
    TemplateHandlers,
    BrandHandlers,
    InlineHandlers,
    SettingsHandlers,
    SkillHandlers,
    PrivacyHandlers,
    JobButtons,
    ChannelPosts,
    QuestionHandlers,
    RequestHandlers,
    EditedMessageHandlers,
    GroupHandlers,
)


def register_handlers(services: HandlerServices) -> None:
    """Add all handlers to the application; ``AccessGuard`` adds some to earlier groups, which PTB asks first."""
    for family in _FAMILIES:
        family(services).register()
    services.application.add_handler(CallbackQueryHandler(services.presses.answer_unknown))
