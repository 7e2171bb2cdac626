"""Stand-ins of Telegram and NemoVideo, conversations to play, and a page to chat with the bot on."""
