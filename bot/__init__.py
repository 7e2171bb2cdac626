"""The NemoVideo Telegram bot: edit and make videos by chatting."""
