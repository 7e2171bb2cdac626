"""What of other people's words and files is asked for, and which edits are new requests."""

import pytest
from telegram import Message

from bot.telegram.reading.request import digest_of
from tests.telegram.test_request import BO, URL, VIDEO, Json, forwarded, message, read


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        (message("/status of the cat"), "of the cat"),
        (message("/status of the cat", forward_origin=forwarded(BO)), "/status of the cat"),
        (message("/edit the cat", forward_origin=forwarded(BO)), "the cat"),
    ],
)
def test_of_a_forwarded_command_only_that_for_requests_is_taken_off(given: Json, prompt: str) -> None:
    assert read(given).prompt == prompt


@pytest.mark.parametrize(
    ("given", "links"),
    [
        (message(f"Look at {URL}"), (URL,)),
        (message(f"Look at {URL}", forward_origin=forwarded(BO)), (URL,)),
        (message("Summer sale: https://shop.example.com/all", forward_origin=forwarded(BO)), ()),
        (message("", caption=f"More at {URL}", document=VIDEO, forward_origin=forwarded(BO)), ()),
    ],
)
def test_of_a_forwarded_messages_links_only_a_file_that_is_all_it_brings_counts(
    given: Json, links: tuple[str, ...]
) -> None:
    request = read(given)
    assert (request.links, request.left_out) == (links, ())


def test_a_link_of_its_own_does_for_a_message_elsewhere_that_nothing_is_seen_of() -> None:
    request = read(message(f"trim {URL}", external_reply={"origin": forwarded(BO)}))
    assert (request.is_refused, request.links) == (False, (URL,))


def test_a_link_that_was_marked_stands_once_in_what_a_message_is_about() -> None:
    elsewhere = {"origin": forwarded(BO), "link_preview_options": {"url": URL}}
    marked = {"text": f"a cat {URL}", "position": 0, "is_manual": True}
    assert read(message("like this", external_reply=elsewhere, quote=marked)).context == f"a cat {URL}"


@pytest.mark.parametrize(("text", "glue"), [("😀" * 2048, ""), ("😀" * 2040, " "), ("😀" * 1900, "\n\n")])
def test_where_a_client_cuts_a_text_is_counted_in_utf_16(text: str, glue: str) -> None:
    assert read(message(text)).part.glue == glue


def test_an_edit_that_replaces_the_words_or_the_file_is_another_request() -> None:
    def digest(caption: str, unique_id: str, **fields: object) -> str:
        file = {**VIDEO, "file_unique_id": unique_id}
        return digest_of(Message.de_json(message("", caption=caption, document=file, **fields), None))

    same = digest("trim it", "v")
    assert same == digest("trim it", "v", edit_date=2000)
    assert len({same, digest("trim it", "w"), digest("trim them", "v")}) == 3
