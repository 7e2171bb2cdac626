"""Video facts, covers, audio conversion and links; media is decoded in a process of its own. No Telegram here."""
