"""The built-in skill cards, read once for all tests of a process: to read them takes longer than most tests."""

from functools import cache

from bot.skills.cards import load_cards

built_in_cards = cache(load_cards)
