"""Everything that goes out to Telegram: responder, progress message, delivery, rate limits, formatting."""
