import time
import tomllib
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.sandbox.nemovideo.scripts import screen_talk
from bot.words import languages
from bot.words.screen_talk import MAX_EDITS, CleanedAnswer, ScreenAction, remove_screen_talk

WITH_TABLE = [
    language
    for language in languages()
    if (files("bot.words") / "locale" / language / "screen_talk.toml").is_file()
]


def table(language: str) -> dict[str, Any]:
    return tomllib.loads((files("bot.words") / "locale" / language / "screen_talk.toml").read_text("utf-8"))


TABLES = {language: table(language) for language in WITH_TABLE}
ROWS = [row for found in TABLES.values() for row in found["row"]]
TAKES = [(row["says"], *example) for row in ROWS for example in row["takes"]]
KEEPS = [text for row in ROWS for text in row["keeps"]]
ANSWERS = [answer for found in TABLES.values() for answer in found["answer"]]
SAID = [says for _, says, _ in TAKES] + KEEPS + [answer["says"] for answer in ANSWERS]


def test_what_speaks_of_the_screen_goes() -> None:
    done = [(says, text, left, remove_screen_talk(text).text) for says, text, left in TAKES]
    assert [(says, text, found) for says, text, left, found in done if found != left] == []


def test_what_speaks_of_the_content_stays() -> None:
    done = [(text, remove_screen_talk(text)) for text in KEEPS]
    assert [
        (text, one) for text, one in done if (one.text, one.actions, one.edits) != (text, frozenset(), ())
    ] == []


def test_a_following_sentence_stays_if_it_has_a_web_address() -> None:
    text = "Click Export. Then choose the clip at https://example.org/a.mp4 as a model."
    assert remove_screen_talk(text).text == "Then choose the clip at https://example.org/a.mp4 as a model."
    assert remove_screen_talk(text.replace("https://example.org/a.mp4", "the end")).text == ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["says"])
def test_a_row_means_its_action(row: dict[str, Any]) -> None:
    """A named row may mean what its button is called, and a button without a meaning means nothing."""
    if "action" in row:
        meant = [remove_screen_talk(text).actions for text, _ in row["takes"]]
        assert sum(ScreenAction(row["action"]) in actions for actions in meant) >= len(meant) - 2


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer["says"].strip()[:30])
def test_whole_answers(answer: dict[str, Any]) -> None:
    done = remove_screen_talk(answer["says"])
    assert done.text == answer["left"]
    assert done.actions == frozenset(ScreenAction(name) for name in answer["actions"])
    assert list(done.edits) == answer["edits"]


@pytest.mark.parametrize("language", WITH_TABLE)
def test_every_table_has_its_examples(language: str) -> None:
    rows = TABLES[language]["row"]
    assert sum(len(row["takes"]) + len(row["keeps"]) for row in rows) >= 60
    for row in rows:
        assert row["takes"]
        assert row["keeps"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_stand_ins_answer_is_left_with_its_content(language: str) -> None:
    done = remove_screen_talk(screen_talk(language)[-1]["text"])
    assert done.text in ("The clip has a calmer ending now.", "结尾现在更平静了。")
    assert done.actions == frozenset(ScreenAction)
    assert len(done.edits) == 1


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Click Export.", ScreenAction.EXPORT),
        ("Click “Download”.", ScreenAction.EXPORT),
        ("Click the **Billing** tab.", ScreenAction.CREDITS),
        ("Open the timeline panel.", ScreenAction.TIMELINE),
        ("点击“导出”。", ScreenAction.EXPORT),
        ("点击【账户】。", ScreenAction.CREDITS),
        ("打开时间轴面板。", ScreenAction.TIMELINE),
    ],
)
def test_the_name_of_a_button_tells_the_action(text: str, action: ScreenAction) -> None:
    assert action in remove_screen_talk(text).actions


@pytest.mark.parametrize(
    ("text", "buttons"),
    [
        ("Click [Apply] to confirm.", ("Apply",)),
        ("Just click the **Generate** button!", ("Generate",)),
        ("Press “Yes, go on” or tap [Later].", ("Yes, go on", "Later")),
        ("Your captions are ready; please click Apply.", ("Apply",)),
        ('In the "Music" section, click on [Apply].', ("Apply",)),
        ("点击[生成]", ("生成",)),
        ("请点击“生成”开始。", ("生成",)),
        ("满意的话，点击确认即可。", ("确认",)),
        ("Click [Version A] or [Version B].", ("Version A", "Version B")),
        ("Click 👉 “Go on”.", ("Go on",)),
        ("Tap on ✅ Confirm.", ("Confirm",)),
        ("Click here to confirm.", ("Confirm",)),
        ("Click the button below to generate it.", ("Generate",)),
        ("请点击下方的【确认生成】按钮。", ("确认生成",)),
        ("点击[方案一]或[方案二]。", ("方案一", "方案二")),
        ("如果满意，请按“确定”。", ("确定",)),
        ("点击✅确认", ("确认",)),
        ("请点击下面的按钮确认。", ("确认",)),
        ("請點選「套用」。", ("套用",)),
        ("點擊【確認】", ("確認",)),
        ("Click Export.", ()),
        ("点击“导出”。", ()),
        ("請點擊「匯出」", ()),
        ("Right-click the clip and choose Delete.", ()),
        ("Select the second half and press Delete to remove it.", ()),
        ("Click [ ] to confirm.", ()),
        (f"Click [{'a' * 70}] to confirm.", ()),
    ],
)
def test_a_button_without_an_action_is_named(text: str, buttons: tuple[str, ...]) -> None:
    assert remove_screen_talk(text).buttons == buttons


def test_an_edit_is_offered_in_the_answers_own_words() -> None:
    done = remove_screen_talk("Also, you can just drag the logo to the left. 您也可以直接把标题拖到结尾。")
    assert done.edits == ("drag the logo to the left", "把标题拖到结尾")


def test_edits_are_few_and_told_once() -> None:
    many = "".join(f"Drag the clip {n} to the left. " for n in range(20))
    assert len(remove_screen_talk(many).edits) == MAX_EDITS
    assert len(remove_screen_talk("Drag it to the left. Drag it to the left.").edits) == 1


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "a  b\n\n\n\nc ", "1.\n2.", "- \n", "**", "Click", "```\nClick Export"]
)
def test_odd_texts_do_no_harm(text: str) -> None:
    assert remove_screen_talk(text).text in (text, "")


def test_an_unfinished_sentence_may_stay_and_what_stands_before_it_stays_whole() -> None:
    whole = "The title is bigger now. You can open the Music panel to pick another song."
    for end in range(25, len(whole)):
        assert remove_screen_talk(whole[:end]).text.startswith("The title is bigger now.")


def is_within(shorter: str, longer: str) -> bool:
    left = iter(longer)
    return all(char in left for char in shorter)


ENDS = (".", "!", "?", "。", "！", "？")
"""Without one of these two texts in one line are one sentence, with another meaning."""

PIECES = st.one_of(
    st.sampled_from(SAID),
    st.sampled_from(
        ["\n", "\n\n", " ", "- ", "1. ", "## ", "**", "*", "`", "```\n", '"', "“", "”", "(", ")", "（", "）", ", "]
    ),
    st.sampled_from(["，", ". ", "。", ": ", "：", " and ", "并", "then", "if you like", "如果满意", "drag", "拖动"]),
    st.sampled_from(
        ["click", "Export", "点击", "导出", "open the Music panel", "the clip is 5 s long", "标题更大了"]
    ),
    st.text(max_size=12),
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join))
def test_only_takes_out_and_once_is_enough(text: str) -> None:
    done = remove_screen_talk(text)
    assert is_within(done.text, text)
    assert remove_screen_talk(done.text).text == done.text
    assert len(done.edits) <= MAX_EDITS
    assert bool(done.edits) == (ScreenAction.EDIT in done.actions)


@given(st.lists(st.sampled_from(KEEPS), max_size=8), st.sampled_from(["\n", "\n\n", "\n- "]))
def test_talk_of_content_stays_byte_for_byte(texts: list[str], between: str) -> None:
    assert remove_screen_talk(between.join(texts)).text == between.join(texts)


@given(st.lists(st.sampled_from([text for text in KEEPS if text.endswith(ENDS)]), max_size=8).map(" ".join))
def test_sentences_about_content_stay_byte_for_byte_in_one_line(text: str) -> None:
    assert remove_screen_talk(text).text == text


@given(st.text(max_size=300))
def test_a_text_without_screen_words_comes_back_as_it_is(text: str) -> None:
    assume(not any(word in text.casefold() for row in ROWS for word in row["words"]))
    assert remove_screen_talk(text) == CleanedAnswer(text)


HOSTILE = [
    "click " * 4000,
    "you can " * 3000 + "click",
    "open the " + "a " * 10000 + "panel",
    "see " * 6000 + "timeline",
    "- click:\n" * 3000,
    "a, " * 8000 + "click Export.",
    "## click\n" * 2000,
    "(" * 10000 + "click" + ")" * 10000,
    "\"'“`[" * 4000 + "click",
    "点击" * 10000,
    "把" * 10000 + "拖",
    "，" * 10000 + "点击导出",
    " " * 20000 + "click",
    "click" + " " * 20000 + ".",
    "*" * 20000 + "click",
    "!" * 20000 + "click",
    "\n" * 20000 + "click Export",
    "> " * 9000 + "click",
    "a:\n" * 5000 + "click Export",
    "# a\n\n" * 5000 + "click Export\n" * 5000,
    "# a\n- click Export.\n" * 3000,
    ("a" * 250 + ", ") * 100 + "click Export",
    "Click Export, " * 2000,
    "the export " * 2500,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:12]!r}")
def test_hostile_texts_take_no_time(text: str) -> None:
    started = time.process_time()
    remove_screen_talk(text)
    assert time.process_time() - started < 2.0
