"""What an operator does from the shell, beside running the bot."""
