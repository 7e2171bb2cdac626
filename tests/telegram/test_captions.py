import pytest
from telegramify_markdown import utf16_len

from bot.jobs.messages import AgentMessage, ListMessage, LocalizedMessage, TextMessage
from bot.telegram.sending.formatting import Caption, caption_of, plain_text, visible_length
from bot.words import Html, Words

OWN = Html("🎬 2 s")
WORDS = Words("en")
NOTE = LocalizedMessage("change.more", {"n": 3})


def caption(answer: TextMessage | None, limit: int = 1024) -> Caption:
    return caption_of(answer, OWN, WORDS, limit)


def test_without_an_answer_there_is_the_line_about_the_video() -> None:
    assert caption(None) == Caption(OWN)


def test_the_answer_stands_first_with_what_changed_below() -> None:
    made = caption(AgentMessage("I cut **2 <b> s**.", lines=(NOTE,)))
    said, changed, own = made.text.split("\n\n")
    assert said == "I cut <b>2 &lt;b&gt; s</b>."
    assert "3" in changed
    assert own == OWN
    assert made.is_whole


@pytest.mark.parametrize(
    "answer",
    [
        AgentMessage("I cut it. 🎬 " * 200),
        AgentMessage("**" + "word " * 400 + "**", lines=(NOTE,)),
        AgentMessage("x" * 5000),
        ListMessage(LocalizedMessage("answer.silent_edit"), (NOTE,) * 80),
    ],
)
def test_a_longer_answer_begins_in_the_caption(answer: TextMessage) -> None:
    made = caption(answer)
    assert not made.is_whole
    assert 500 < visible_length(made.text) <= 1024
    assert plain_text(made.text).endswith(" …\n\n🎬 2 s")


def test_an_answer_that_just_fits_is_whole() -> None:
    text = "é" * (1024 - 2 - utf16_len(OWN))
    assert caption(AgentMessage(text)).is_whole
    assert not caption(AgentMessage(f"{text}é")).is_whole
