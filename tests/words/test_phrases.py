import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words import PhraseAction, action_for
from bot.words.phrases import MAX_PHRASE_CHARS, command_for, hands_over, is_bare_answer, requested_output

TABLE = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
SAID = [
    (PhraseAction(action), said)
    for language in TABLE.values()
    for action, phrases in language["actions"].items()
    for said in phrases
]
REQUESTS = [said for language in TABLE.values() for said in language["requests"]]


@pytest.mark.parametrize("language", TABLE)
def test_the_table_covers_both_languages(language: str) -> None:
    table = TABLE[language]
    assert {PhraseAction(name) for name in table["actions"]} == set(PhraseAction)
    assert sum(map(len, table["actions"].values())) >= 60
    assert len(table["requests"]) >= 60


def test_phrases_mean_their_action() -> None:
    assert [(said, found) for action, said in SAID if (found := action_for(said)) is not action] == []


def test_prompts_go_to_the_agent() -> None:
    assert [(said, found) for said in REQUESTS if (found := action_for(said)) is not None] == []


@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("show my history", "history"),
        ("历史版本", "history"),
        ("My projects", "projects"),
        ("我的项目", "projects"),
        ("templates", "templates"),
        ("品牌设置", "brand"),
        ("change language", "language"),
        ("切换语言", "language"),
        ("/语言", "language"),
        ("privacy policy", "privacy"),
        ("please delete my data", "forget"),
        ("删除我的数据", "forget"),
        ("delete all data", "forget"),
        ("erase everything about me", "forget"),
        ("注销账号", "forget"),
        ("注销登录", "logout"),
        ("delete everything", None),  # of the timeline, perhaps
        ("remove all info from the video", None),
        ("remove account", None),
        ("log in", "login"),
        ("登錄", "login"),
        ("sign out", "logout"),
        ("a history of cats", None),
        ("请用英语回答", "language"),
        ("中文", None),  # may answer what the agent asked
        ("用英文", None),  # so may this, about titles
        ("brand new intro", None),
        ("log in to my heart, as a title", None),
    ],
)
def test_commands_without_a_slash(said: str, command: str | None) -> None:
    assert command_for(said) == command


PHRASES = st.sampled_from(SAID)


@given(PHRASES, st.text(" \n\t!?.。！？…,，", max_size=5), st.booleans())
def test_punctuation_space_and_case_do_not_matter(
    phrase: tuple[PhraseAction, str], around: str, is_upper: bool
) -> None:
    action, said = phrase
    assert action_for(around + (said.upper() if is_upper else said) + around) is action


@given(PHRASES, st.sampled_from(["colours", "the sunset in red", "背景", "把颜色调暖"]), st.booleans())
def test_a_phrase_inside_a_longer_prompt_is_none(
    phrase: tuple[PhraseAction, str], more: str, is_before: bool
) -> None:
    said = phrase[1]
    assert action_for(f"{more} {said}" if is_before else f"{said} {more}") is None


@pytest.mark.parametrize(
    ("said", "is_answer"),
    [
        ("yes", True),
        ("No!", True),
        ("OK, thanks", True),
        ("2", True),
        ("好", True),
        ("不要。", True),
        ("第二个", True),
        ("sí", True),
        ("はい", True),
        ("嗯嗯", True),
        ("没问题！", True),
        ("got it", True),
        ("Continue", True),
        ("+1", True),
        ("continue the music", False),
        ("开始的画面剪掉", False),
        ("yes, add music", False),
        ("no music", False),
        ("2 seconds", False),
        ("好看", False),
        ("不要音乐", False),
    ],
)
def test_bare_answers(said: str, is_answer: bool) -> None:
    assert is_bare_answer(said) is is_answer


HANDED_OVER = """
here it is | Here you go! | this one | Here's the video | here | use this | this is my clip | ok, this one | the video
done | these two | here are the clips | take it
给你 | 就这个 | 这个 | 这是我的视频 | 用这个视频 | 视频来了 | 发给你了 | 在这里 | 这段吧 | 这两个 | 这些视频
"""
ASKED_FOR = """
make it shorter | video | use this music | this one, but shorter | here is the plan: cut it | give me a video | the end
take it away | 给我 | 剪短 | 这个视频剪短 | 用这个音乐 | 给视频配乐 | 就这样 | 看看这个 | 发给我 | 来一段
"""


@pytest.mark.parametrize(
    ("said", "hands"),
    [
        (said.strip(), table is HANDED_OVER)
        for table in (HANDED_OVER, ASKED_FOR)
        for line in table.split("\n")
        for said in line.split("|")
        if line
    ],
)
def test_words_that_only_hand_over_a_file(said: str, hands: bool) -> None:
    assert hands_over(said) is hands


@given(st.text())
def test_any_text_can_be_asked(said: str) -> None:
    action_for(said)


def test_a_long_message_is_a_prompt() -> None:
    assert action_for("please " * 20 + "export") is None


@given(
    st.lists(
        st.sampled_from([*"我的好有到做了吗", "it", "in", "mp4", "1080p", "the", "final", "export"]),
        min_size=20,
    )
)
def test_no_text_takes_long(words: list[str]) -> None:
    began_s = time.process_time()
    action_for("".join(words)[: MAX_PHRASE_CHARS - 1] + "x")
    assert time.process_time() - began_s < 1


@pytest.mark.parametrize(
    ("said", "output"),
    [
        ("export", ()),
        ("export 1080p MP4", ("1080p", "mp4")),
        ("Send me the final video in 4K as MOV, please", ("4k", "mov")),
        ("导出为 720P 的 MP4", ("720p", "mp4")),
        ("導出高清影片", ("高清",)),
    ],
)
def test_an_export_may_ask_for_a_resolution_and_a_format(said: str, output: tuple[str, ...]) -> None:
    assert action_for(said) is PhraseAction.EXPORT
    assert requested_output(said) == output
