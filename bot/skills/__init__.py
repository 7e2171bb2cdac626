"""Skill cards: the files that tell what the bot is good at, and under which name it works."""

from bot.skills.body import NEMO_KINDS
from bot.skills.cards import DEFAULT_CARD, Card, CardProblem, Cards, load_cards, platform_of

__all__ = ["DEFAULT_CARD", "NEMO_KINDS", "Card", "CardProblem", "Cards", "load_cards", "platform_of"]
