"""What the bot draws. No words of its own: what people read in a picture comes in from the caller."""

from bot.pictures.layout import TimelineLabels
from bot.pictures.timeline import draw_timeline

__all__ = ["TimelineLabels", "draw_timeline"]
