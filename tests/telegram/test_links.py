import pytest

from bot.jobs.messages import LocalizedMessage
from bot.jobs.refusal_messages import link_refusal, with_request_kept
from bot.telegram.reading.request import read_links
from tests.jobs.conftest import new_job

FILE, STREAMED = "https://example.com/a.mp4", "https://youtu.be/a"
PAGE = "https://example.com/about/cats"


@pytest.mark.parametrize(
    ("text", "prompt", "media", "is_refused", "offered"),
    [
        pytest.param(STREAMED, "", (), True, "", id="alone"),
        pytest.param(f"{STREAMED} cut it", "", (), True, "cut it", id="with words"),
        pytest.param(f"{FILE} {STREAMED}", "", (FILE,), False, "", id="with a file"),
    ],
)
def test_a_link_to_a_streaming_site_refuses_a_request_that_has_nothing_else(
    text: str, prompt: str, media: tuple[str, ...], is_refused: bool, offered: str
) -> None:
    links = read_links(text)
    assert (links.prompt, links.media, links.is_refused) == (prompt, media, is_refused)
    assert links.offered == offered
    assert links.warning is not None
    assert links.warning.key == ("link.streaming_site" if is_refused else "link.left_out")


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("http://192.168.1.10/a.mp4", "http://192.168.1.10/a.mp4"),
        ("https://ann:secret@example.com/a.mp4", "https://example.com"),
    ],
)
def test_a_refusal_names_the_link_but_no_password(link: str, shown: str) -> None:
    warning = read_links(f"{FILE} {link} join them").warning
    assert warning is not None
    assert warning.params["link"] == shown


def test_a_request_with_a_file_of_its_own_may_mention_any_site() -> None:
    text = f"cut it like {STREAMED} and {PAGE}"
    links = read_links(text, has_file=True)
    assert (links.prompt, links.media, links.is_refused) == (text, (), False)


@pytest.mark.parametrize(
    ("text", "prompt", "media"),
    [
        (PAGE, "", (PAGE,)),
        (f"make a film about {PAGE}", f"make a film about {PAGE}", (PAGE,)),
        (f"{FILE} like {PAGE}", f"like {PAGE}", (FILE,)),
    ],
)
def test_a_page_is_fetched_where_nothing_else_is_there(
    text: str, prompt: str, media: tuple[str, ...]
) -> None:
    links = read_links(text)
    assert (links.prompt, links.media, links.warning) == (prompt, media, None)


@pytest.mark.parametrize(
    ("key", "has_project", "label"),
    [
        ("link.streaming_site", True, "button.run_on_current"),
        ("link.streaming_site", False, "button.run_without_link"),
        ("error.paid_media", True, "button.run_on_current"),
        ("error.paid_media", False, None),
    ],
)
def test_what_is_left_of_a_refused_request_is_offered(key: str, has_project: bool, label: str | None) -> None:
    refusal = link_refusal(LocalizedMessage(key), has_project=has_project)
    message = with_request_kept(refusal, new_job(prompt="cut it"))
    assert [button.label for button in message.buttons] == ([label] if label else [])
    assert with_request_kept(refusal, new_job(prompt="")).buttons == ()
