"""Skill cards: files that describe what the bot is good at and how it identifies itself to NemoVideo."""
