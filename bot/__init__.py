"""The NemoVideo Telegram bot: edit and make video by talking."""
