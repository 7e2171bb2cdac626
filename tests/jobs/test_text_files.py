import codecs

import pytest

from bot.jobs.model import Attachment
from bot.jobs.steps.text_files import decode_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("text", ["a cat on a boat\n\tand a 🫨", "a cat, 一只猫\n第二行"])
def test_words_are_read_in_every_usual_encoding(encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding)) == text


def test_chinese_without_any_latin_letter() -> None:
    assert decode_text("一只猫坐在船上".encode("gb18030")) == "一只猫坐在船上"
    assert decode_text(codecs.BOM_UTF16_BE + "一只猫".encode("utf-16-be")) == "一只猫"


def test_lines_end_alike_and_the_ends_are_bare() -> None:
    assert decode_text(b"\r\n one\r\ntwo\rthree \r\n") == "one\ntwo\nthree"
    assert decode_text(b" \n ") == decode_text(b"") == ""


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"PK\x03\x04\x14\x00\x06\x00",
        b"%PDF-1.7\n\x01\x02",
        bytes(range(256)),
        b"caf\xe9 ",
        b"\xff\xfea",
    ],
)
def test_what_holds_no_words_is_refused(data: bytes) -> None:
    assert decode_text(data) is None


@pytest.mark.parametrize(
    ("kind", "name", "is_text"),
    [
        ("document", "idea.txt", True),
        ("document", "IDEA.TXT", True),
        ("document", "idea.txt.mp4", False),
        ("document", "idea.md", False),
        ("video", "idea.txt", False),
    ],
)
def test_which_files_are_text(kind: str, name: str, is_text: bool) -> None:
    assert Attachment("id", kind, name, 5, "text/plain").is_text is is_text
