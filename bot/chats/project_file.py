"""A file that a chat can bring into a project again."""

from bot.store.stored_model import StoredModel


class ProjectFile(StoredModel):
    """A file that was uploaded to one of a chat's projects.

    Attributes:
        telegram_chat_id: The id in Telegram of the chat whose message brought it.
        message_id: The id of that message.
        session_id: The project.
        name: Its name in the project.
        file_id: Telegram's handle, with which it can be uploaded again.
        kind: What Telegram calls it: video, photo, document and so on.
        size_bytes: Its size as declared; None if Telegram doesn't say.
        content_type: Its MIME type as declared.
        unique_id: Telegram's name for its content; another one if the message was edited to hold another file.
    """

    telegram_chat_id: int
    message_id: int
    session_id: str
    name: str
    file_id: str = ""
    kind: str = ""
    size_bytes: int | None = None
    content_type: str = ""
    unique_id: str = ""
