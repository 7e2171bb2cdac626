"""What an operator does from the shell besides running the bot."""
