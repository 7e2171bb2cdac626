"""A stand-in of Telegram's Bot API server over real HTTP, with simulated people.

Any client library works with it. Through its control API, and the Python client of that, a test acts as people:
it writes, forwards, presses buttons, and reads everything that the bot did.
"""

from bot.sandbox.botapi.app import DEFAULT_TOKEN, create_app
from bot.sandbox.botapi.client import People
from bot.sandbox.botapi.flood import FloodLimits

__all__ = ["DEFAULT_TOKEN", "FloodLimits", "People", "create_app"]
