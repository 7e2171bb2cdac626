"""How a command at the beginning of a message is recognized."""

import re

COMMAND = re.compile(r"^/\w+(?:@(?P<bot>\w+))?\s*")  # any command, with the bot that it names
EDIT_COMMAND = re.compile(r"^/edit(?:@\w+)?(?=\s|$)", re.IGNORECASE)  # the command whose words are a request
