"""How a command at the beginning of a message is recognized."""

from __future__ import annotations

import re

COMMAND = re.compile(r"^/\w+(?:@(?P<bot>\w+))?\s*")
"""Any command, with the bot that it names."""

EDIT_COMMAND = re.compile(r"^/edit(?:@\w+)?(?=\s|$)", re.IGNORECASE)
"""The command whose words are a request."""
