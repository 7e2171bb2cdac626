import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import bot
from bot.words import languages

ROOT = Path(bot.__file__).parent
TELEGRAM_TAGS = {"b", "i", "u", "s", "a", "code", "pre", "blockquote", "tg-spoiler"}
PLAIN_GROUPS = ("button.", "toast.", "command.", "unit.", "track.", "language.", "answer.cut")


def catalogue(language: str) -> Catalog:
    with (ROOT / "words/locale" / language / "LC_MESSAGES/bot.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def texts(language: str) -> dict[str, tuple[str, ...]]:
    found = {}
    for message in catalogue(language):
        key = message.id if isinstance(message.id, str) else message.id[0]
        forms = (message.string,) if isinstance(message.string, str) else message.string or ()
        if key:
            found[key] = tuple(form or "" for form in forms)
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in TELEGRAM_TAGS
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_there_is_english_and_chinese() -> None:
    assert {"en", "zh"} <= set(languages())


@pytest.mark.parametrize("language", languages())
def test_a_catalogue_has_the_keys_and_placeholders_of_english(language: str) -> None:
    english, others = texts("en"), texts(language)
    assert set(others) == set(english)
    for key, forms in others.items():
        wanted = set.union(*map(placeholders, english[key]))
        for form in forms:
            assert placeholders(form) == wanted, key


@pytest.mark.parametrize("language", languages())
def test_nothing_is_empty_fuzzy_or_untidy(language: str) -> None:
    messages = catalogue(language)
    assert not [message.id for message in messages if message.fuzzy and message.id]
    assert not messages.obsolete
    for key, forms in texts(language).items():
        assert forms, key
        for form in forms:
            assert form.strip() == form != "", key


@pytest.mark.parametrize("language", languages())
def test_every_plural_form_is_there(language: str) -> None:
    messages = catalogue(language)
    for message in messages:
        if not isinstance(message.id, str):
            assert len(message.string or ()) == messages.num_plurals, message.id
            assert all("{n}" in (form or "") for form in message.string or ())


@pytest.mark.parametrize("language", languages())
def test_html_is_what_telegram_reads(language: str) -> None:
    for key, forms in texts(language).items():
        for form in forms:
            if key.startswith(PLAIN_GROUPS):
                assert not set("<>&") & set(form), key
            balance = Balance()
            balance.feed(form)
            balance.close()
            assert not balance.open, key


@pytest.mark.parametrize("language", languages())
def test_labels_fit_where_they_stand(language: str) -> None:
    for key, forms in texts(language).items():
        if key.startswith("toast."):
            assert all(len(form) <= 200 for form in forms), key
        if key.startswith("button."):
            assert all(len(form) <= 40 for form in forms), key
        assert all(len(form) <= 2000 for form in forms), key


@dataclass(frozen=True, slots=True)
class Use:
    where: str
    key: str
    is_whole: bool = True
    params: frozenset[str] | None = None


MAKERS = {"text", "plain", "LocalizedMessage"}


def uses_in_code() -> Iterator[Use]:
    """Every key that the code gives to a maker of texts; of one put together in place, its beginning."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if name not in MAKERS:
                continue
            where = f"{path}:{node.lineno}"
            match node.args[0]:
                case ast.Constant(value=str(key)):
                    yield Use(where, key, params=literal_params(node))
                case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]):
                    yield Use(where, beginning, is_whole=False)


def literal_params(call: ast.Call) -> frozenset[str] | None:
    """The names of a call's parameters where they stand in the code, else None."""
    names: set[str] = set()
    given = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "params")]
    for value in given:
        if not isinstance(value, ast.Dict):
            return None
        for key in value.keys:
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                return None
            names.add(key.value)
    for keyword in call.keywords:
        if keyword.arg is None:
            return None
        names.add(keyword.arg)
    return frozenset(names - {"params", "buttons"})


def test_every_key_in_the_code_has_a_text_with_its_parameters() -> None:
    known = texts("en")
    groups = {key.split(".")[0] for key in known}
    uses = [use for use in uses_in_code() if "." in use.key and use.key.split(".")[0] in groups]
    assert uses
    for use in uses:
        if not use.is_whole:
            assert any(key.startswith(use.key) for key in known), use
            continue
        assert use.key in known, use
        if use.params is not None:
            assert set.union(*map(placeholders, known[use.key])) <= use.params, use


def test_every_key_that_waits_in_the_code_has_a_text() -> None:
    known = texts("en")
    named = re.compile(
        r'"((?:answer|button|change|credits|deliver|error|export|job|live|settings|toast|upload)\.[a-z_]+)"'
    )
    logged = re.compile(r"\b_?log(?:ger)?\.\w+\(")
    for path in ROOT.rglob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            for key in named.findall(line):
                assert key in known or key.endswith("_") or logged.search(line), f"{path}: {key}"


def keys_in_code() -> tuple[set[str], set[str]]:
    """Every text in the code that may be a key; and the beginnings of those that are put together in place."""
    whole: set[str] = set()
    beginnings: set[str] = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Constant(value=str(text)) if "." in text:
                    # "error.plan_" is a beginning that a kind of account follows.
                    (beginnings if text.endswith("_") else whole).add(text)
                case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]) if "." in beginning:
                    beginnings.add(beginning)
    return whole, beginnings


def test_every_text_is_said_somewhere() -> None:
    whole, beginnings = keys_in_code()
    put_together = re.compile(f"(?:{'|'.join(map(re.escape, beginnings))})[a-z_]+")
    rest = [key for key in texts("en") if not {key, key.removesuffix("_named")} & whole]
    assert not [key for key in rest if not put_together.fullmatch(key)]
