"""The key under which everything about a chat is stored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatKey:
    """A chat, or one of its topics: each topic has its own project, and all of a chat share its account.

    >>> str(ChatKey(-100123, 45))
    '-100123:45'
    """

    chat_id: int  # Telegram's id; negative for groups and channels
    topic_id: int | None = None  # the topic's ``message_thread_id``; None outside of topics

    @property
    def is_private(self) -> bool:
        """Return whether it is a chat with one person; its id is then that person's."""
        return self.chat_id > 0

    @property
    def of_account(self) -> "ChatKey":
        """The key of what all topics of the chat share; also that of what is outside of topics."""
        return ChatKey(self.chat_id)

    @property
    def of_projects(self) -> "ChatKey":
        """The key of the list of projects: a private chat has one for all its topics, a group one for each."""
        return self.of_account if self.is_private else self

    def __str__(self) -> str:
        return str(self.chat_id) if self.topic_id is None else f"{self.chat_id}:{self.topic_id}"

    @classmethod
    def parse(cls, text: str) -> "ChatKey":
        """Parse the text that ``str`` returns for a key.

        Raises:
            ValueError: The text has another form.
        """
        chat_id, colon, topic_id = text.partition(":")
        key = cls(int(chat_id), int(topic_id) if colon else None)
        if str(key) != text:  # int() takes spaces, underscores and plus signs too
            raise ValueError(f"no chat key: {text!r}")
        return key
