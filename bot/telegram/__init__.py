"""Everything that knows Telegram: receiving and reading updates, handlers, sending."""
