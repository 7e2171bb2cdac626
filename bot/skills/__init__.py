"""Skill cards: files that describe what the bot is good at and how it identifies itself to NemoVideo."""

from bot.skills.body import NEMO_KINDS
from bot.skills.cards import (
    DEFAULT_CARD,
    INSTALL_DIRS,
    CardProblem,
    SkillCard,
    SkillCards,
    load_cards,
    platform_of,
)
from bot.skills.marks import LINK_PREFIX, card_mark, example_mark, link_name

__all__ = [
    "DEFAULT_CARD",
    "INSTALL_DIRS",
    "LINK_PREFIX",
    "NEMO_KINDS",
    "CardProblem",
    "SkillCard",
    "SkillCards",
    "card_mark",
    "example_mark",
    "link_name",
    "load_cards",
    "platform_of",
]
