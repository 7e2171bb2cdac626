"""Lets ``python -m bot`` run the command line."""

from bot.cli import main

main()
