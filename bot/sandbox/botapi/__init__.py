"""A stand-in of Telegram's Bot API server, over real HTTP, with people behind it.

Any client library takes it for the real one. Its control API, and the Python client of that, let a test be people:
write, forward, press buttons, and read everything that the bot did.
"""

from bot.sandbox.botapi.app import DEFAULT_TOKEN, create_app
from bot.sandbox.botapi.client import People
from bot.sandbox.botapi.flood import FloodLimits

__all__ = ["DEFAULT_TOKEN", "FloodLimits", "People", "create_app"]
