"""How the texts are written: no word that people don't use, labels that fit on a phone, one language at a time."""

import re
import unicodedata
from datetime import UTC, datetime
from html import unescape
from typing import Final

import pytest
from telegram import Chat, Message

from bot.job_types import GROUP_MENU, PRIVATE_MENU
from bot.telegram.handlers.start_help import help_message
from bot.telegram.sending.formatting import format_list
from bot.words import Words, languages
from tests.words.test_catalogues import texts

LABEL_COLUMNS: Final = 20
"""What a phone shows of a button in half a row; a Chinese character takes two columns."""

FORBIDDEN: Final = {
    "en": r"\b(?:shall|anew|just now|by myself|by itself|by themselves|that which|put it behind|whoever|wish(?:es)?|"
    r"picture|sounds?|nothing is lost|as it was|costs nothing|web site|editor('s)? suggests doing|"
    r"in line|place \d|Bot API server|JSON|exception|status code|timeout)\b|(?<!AI )\beditor\b",
    "zh": r"您|愿望|时间轴|成品|访客|账户|请求|需求|管理者|声音|我说|希望我|再做一遍吗？这会|<i>|"
    r"(?<!AI )剪辑师|编辑",
}
"""Words of the glossary's column "not", and what nobody says."""

FORBIDDEN_IN: Final = {"admin.files_unreadable": "Bot API server"}
"""Words that the operator knows."""

NAMES: Final = (
    r"DAILY_CREDITS|NEMO_TOKEN|NemoVideo|Telegram|@BotFather|Bot API|API|AI|ID|MP4|\.mp4|mp3|m4a|GIF|\.txt|UTF-8|UTC|"
    r"General|nemovideo-bot check|nemovideo-bot jobs list --given-up|nmv_usr_|https?://"
)
"""What is written in Latin letters in every language."""

_NOT_WORDS = re.compile(rf"{{\w+}}|</?\w+>|/[a-z]+|{NAMES}")


def columns(label: str) -> int:
    visible = [c for c in label if unicodedata.category(c) not in ("Mn", "Cf")]
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in visible)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_word_that_people_do_not_use(language: str) -> None:
    for key, forms in texts(language).items():
        for form in forms:
            text = form.replace(FORBIDDEN_IN.get(key, "\0"), "")
            assert not re.search(FORBIDDEN[language], text, re.IGNORECASE), f"{key}: {form}"


@pytest.mark.parametrize("language", languages())
def test_every_label_can_be_read_beside_another(language: str) -> None:
    labels = {
        key: form for key, forms in texts(language).items() for form in forms if key.startswith("button.")
    }
    assert {key: label for key, label in labels.items() if columns(label) > LABEL_COLUMNS} == {}


def test_chinese_is_without_english() -> None:
    for key, forms in texts("zh").items():
        for form in forms:
            assert not re.search("[A-Za-z]{2,}", _NOT_WORDS.sub("", form)), f"{key}: {form}"


def test_a_blank_parts_chinese_from_latin_letters_and_digits() -> None:
    for key, forms in texts("zh").items():
        for form in forms:
            text = re.sub(r"</?\w+>", "", form)
            assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9/]|[A-Za-z0-9][\u4e00-\u9fff]", text), (
                f"{key}: {form}"
            )


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize(("kind", "menu"), [(Chat.PRIVATE, PRIVATE_MENU), (Chat.SUPERGROUP, GROUP_MENU)])
def test_the_help_says_what_the_menu_says(language: str, kind: str, menu: tuple[str, ...]) -> None:
    words = Words(language)
    message = Message(1, datetime.now(UTC), Chat(1, kind))
    lines = unescape(format_list(words, help_message(message))).splitlines()
    assert [line for line in lines if line.startswith("/")] == [
        f"/{name} – {words.plain(f'command.{name}')}" for name in menu
    ]
