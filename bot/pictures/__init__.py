"""The pictures that the bot draws; the caller passes the words in them."""

from bot.pictures.boxes import TimelineLabels
from bot.pictures.timeline import draw_timeline

__all__ = ["TimelineLabels", "draw_timeline"]
