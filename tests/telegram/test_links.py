import pytest

from bot.telegram.reading.links import read_links

FILE, STREAMED = "https://example.com/a.mp4", "https://youtu.be/a"


@pytest.mark.parametrize(
    ("text", "prompt", "media", "is_refused"),
    [
        pytest.param(STREAMED, STREAMED, (), True, id="alone"),
        pytest.param(f"Cut it like {STREAMED}", f"Cut it like {STREAMED}", (), False, id="with words"),
        pytest.param(f"{FILE} {STREAMED}", STREAMED, (FILE,), False, id="with a file"),
    ],
)
def test_a_link_to_a_streaming_site_refuses_a_request_that_has_nothing_else(
    text: str, prompt: str, media: tuple[str, ...], is_refused: bool
) -> None:
    links = read_links(text)
    assert (links.prompt, links.media, links.is_refused) == (prompt, media, is_refused)
    assert links.warning is not None
    assert links.warning.key == "link.streaming_site"
