"""The chat page: a Telegram client in the browser, connected to the stand-ins."""

from bot.sandbox.nemovideo.settings import Pace
from bot.sandbox.page.app import create_app
from bot.sandbox.page.scene import add_accounts, set_scene

__all__ = ["PACE", "SETTINGS", "add_accounts", "create_app", "set_scene"]

PACE = Pace(text_s=0.8, edit_s=2.5, generate_s=4.0, render_s=4.0, upload_s=0.8)
"""How long things take at NemoVideo: long enough to watch."""

SETTINGS = {
    "RENDER_POLL_S": 1.5,
    "PROGRESS_EDIT_S": 1,
    "RECOVERY_FIRST_S": 5,
    "RECOVERY_EVERY_S": 5,
}
"""Settings of the bot that would otherwise make somebody who tries it wait."""
