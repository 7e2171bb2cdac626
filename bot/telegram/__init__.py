"""All that knows Telegram: intake, handlers, media, live message, delivery, pacing."""
