"""What is stored of a chat, who may use the bot, and the encryption of tokens."""
