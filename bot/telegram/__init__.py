"""All that knows Telegram: receiving updates, handlers, and everything that is sent."""
