"""What is known of a chat: client id, token, session, skill, language."""
