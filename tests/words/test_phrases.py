import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.words import PhraseAction, action_for

ACTIONS = {
    PhraseAction.EXPORT: [
        "export", "Export!", "EXPORT", "export please", "Please export.",
        "could you export the video, please?", "download", "send me the video",
        "Send me the video, please", "ｅｘｐｏｒｔ", "export 🎬", "export ⬇️", "please, export now", "导出",
        "请导出", "导出一下", "帮我导出视频吧", "请帮我导出一下，谢谢！", "下载", "把视频发给我",
        "可以导出吗？", "导出MP4", "导出 ！",
    ],
    PhraseAction.CREDITS: [
        "credits", "Credits?", "balance", "my balance please", "How many credits do I have left?",
        "What’s my balance?", "积分", "余额", "查余额", "还剩多少积分？", "请查看积分",
    ],
    PhraseAction.STATUS: [
        "status", "Show tracks", "show me the timeline", "状态", "看看时间轴", "请显示轨道。",
    ],
    PhraseAction.UPLOAD: [
        "upload", "Upload a file", "上传", "我要上传视频", "如何上传？",
    ],
    PhraseAction.NEW: [
        "new project", "start over", "新建项目", "重新开始吧",
    ],
    PhraseAction.HELP: [
        "help", "Help!", "what can you do?", "帮助", "怎么用？",
    ],
    PhraseAction.CANCEL: [
        "cancel", "Stop!", "取消", "停止一下",
    ],
    PhraseAction.SETTINGS: [
        "settings", "设置", "打开设置",
    ],
}  # fmt: skip

PROMPTS = [
    "export-ready colours, please",
    "add the status line 'balance is key'",
    "make export buttons glow",
    "download speed counter in the corner",
    "white balance",
    "fix the white balance",
    "balance the audio",
    "add credits at the end",
    "end credits",
    "rolling credits, please",
    "a video about how to upload files",
    "status quo",
    "stop motion",
    "stop the music at 0:10",
    "cancel the noise",
    "new title",
    "new music please",
    "help text in the corner",
    "'export'",
    "please",
    "",
    "   ",
    "!!!",
    "🎬",
    "/export",
    "导出风格的调色",
    "加一行字：余额是关键",
    "把积分两个字放大",
    "片尾加上状态栏",
    "上传一个帅气的开场动画到片头",
    "新建一个标题",
    "停止背景音乐",
    "取消字幕",
    "请",
    "谢谢",
    "export export",
    "下载进度条特效",
]


@pytest.mark.parametrize(
    ("action", "said"), [(a, said) for a, phrases in ACTIONS.items() for said in phrases]
)
def test_phrases_mean_their_action(action: PhraseAction, said: str) -> None:
    assert action_for(said) is action


@pytest.mark.parametrize("said", PROMPTS)
def test_prompts_go_to_the_agent(said: str) -> None:
    assert action_for(said) is None


PHRASES = st.sampled_from([(a, said) for a, phrases in ACTIONS.items() for said in phrases])


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


@given(st.text())
def test_any_text_can_be_asked(said: str) -> None:
    action_for(said)


def test_a_long_message_is_a_prompt() -> None:
    assert action_for("please " * 20 + "export") is None
