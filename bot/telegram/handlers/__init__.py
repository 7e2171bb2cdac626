"""One module per family of commands, messages and button presses; access; admin commands."""
