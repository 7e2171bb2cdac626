"""Imported by the fork server, once: what each process of the bot would load for itself at its start."""

import gc

import uvloop  # noqa: F401

import bot.app
import bot.runtime.logs
import bot.settings  # noqa: F401
from bot.runtime.http import tls_context
from bot.words.phrases import action_for
from bot.words.screen_table import table
from bot.words.texts import Words, languages

tls_context()
table()
for _language in languages():
    Words(_language).size(1_500_000)
    action_for(_language)

# So that no process looks through all of this for rubbish.
gc.freeze()
