import pytest
from telegram.error import BadRequest, NetworkError, TelegramError

from bot.telegram.sending.refusals import MessageForm, Refusal, refusal_of


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (NetworkError("Request Entity Too Large"), Refusal.TOO_LARGE),
        (
            NetworkError("Request Entity Too Large (413). Parsing the server response b'<html>' failed"),
            Refusal.TOO_LARGE,
        ),
        (BadRequest("File is too big"), Refusal.TOO_LARGE),
        (NetworkError("Bad Gateway"), Refusal.OTHER),
        (
            BadRequest("Inline keyboard button URL 'http://localhost/x' is invalid: Wrong HTTP URL"),
            Refusal.BUTTON,
        ),
        (BadRequest("BUTTON_URL_INVALID"), Refusal.BUTTON),
        (BadRequest("Button_type_invalid"), Refusal.BUTTON),
        (BadRequest("Message thread not found"), Refusal.THREAD),
        (BadRequest("Topic_closed"), Refusal.THREAD),
        (BadRequest("TOPIC_DELETED"), Refusal.THREAD),
        (BadRequest("Message to be replied not found"), Refusal.REPLY),
        (BadRequest("Not enough rights to send videos to the chat"), Refusal.KIND),
        (BadRequest("CHAT_SEND_VIDEOS_FORBIDDEN"), Refusal.KIND),
        (BadRequest("Not enough rights to send text messages to the chat"), Refusal.OTHER),
        (BadRequest("Can't parse entities: unexpected end tag at byte offset 5"), Refusal.FORMATTING),
        (BadRequest("ENTITY_BOUNDS_INVALID"), Refusal.FORMATTING),
        (BadRequest("Something that no document names"), Refusal.OTHER),
    ],
)
def test_what_a_refusal_means(error: TelegramError, refusal: Refusal) -> None:
    assert refusal_of(error) is refusal


def test_each_refusal_takes_one_thing_away_and_then_nothing_is_left() -> None:
    whole = MessageForm()
    assert whole.after(Refusal.BUTTON) == MessageForm(link_buttons=False)
    assert whole.after(Refusal.THREAD) == MessageForm(thread=False, reply=False)
    assert whole.after(Refusal.REPLY) == MessageForm(reply=False)
    assert whole.after(Refusal.FORMATTING) == MessageForm(formatting=False)
    for refusal in Refusal:
        form: MessageForm | None = whole
        for _ in range(2):
            form = form and form.after(refusal)
        assert form is None
