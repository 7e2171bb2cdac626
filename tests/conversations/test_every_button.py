"""Every button that people see is pressed, in both languages: none leads nowhere, and videos change as promised."""

from pathlib import Path
from typing import Any

import pytest

from bot.jobs.buttons import Setting
from bot.sandbox import player
from bot.sandbox.conversation import read_conversation
from bot.store.connect import Store
from tests.cards import built_in_cards
from tests.conversations.crawler import Crawler
from tests.conversations.rendered_video import EXTRAS, SUGGESTIONS

pytestmark = pytest.mark.heavy

SCRIPT = """
title: Every button
settings: {{NEMO_TOKEN: nmv_usr_operator, DAILY_JOBS_PER_PERSON: 0, DAILY_JOBS_PER_CHAT: 0, QUEUE_LIMIT: 500}}
accounts: {{nmv_usr_operator: {{credits: 100000}}}}
people:
  Ann: {{language: {language}}}
  Bea: {{language: {language}}}
  Cyn: {{language: {language}}}
  Dan: {{language: {language}}}
  Eve: {{language: {language}}}
  Flo: {{language: {language}}}
  Gus: {{language: {language}}}
steps:
  - Ann: {{says: /start}}
  - Ann: {{says: /help}}
  - Ann: {{says: /settings}}
  - Ann: {{says: /settings}}
  - Ann: {{says: /settings}}
  - Ann: {{says: /settings}}
  - Ann: {{says: /skill}}
  - Ann: {{says: /language}}
  - Ann: {{says: /credits}}
  - Ann: {{says: /login}}
  - Ann: {{says: /link}}
  - Ann: {{sends: {{name: beach.mp4, seconds: 7}}}}
  - bot: {{idle: true}}
  - Ann: {{sends: {{name: beach.mp4, seconds: 2}}, caption: "{trim}"}}
  - bot: {{sends: {{}}}}
  - bot: {{idle: true}}
  - Ann: {{says: /status}}
  - Ann: {{says: /projects}}
  - Ann: {{says: /history}}
  - Ann: {{says: /templates}}
  - Ann: {{says: /new}}
  - Ann: {{says: /forget}}
  - Ann: {{says: /forget}}
  - Bea: {{sends: {{name: lake.mp4, seconds: 18}}, caption: "{title}"}}
  - bot: {{sends: {{}}}}
  - Cyn: {{says: /skill}}
  - Cyn: {{presses: "{background}"}}
  - Cyn: {{sends: {{name: me.mp4, seconds: 7}}, caption: "{trim}"}}
  - bot: {{sends: {{}}}}
  - Dan: {{says: /skill}}
  - Dan: {{presses: "{scenes}"}}
  - Dan: {{says: "{generate}"}}
  - bot: {{buttons: "9:16"}}
  - Eve: {{sends: {{kind: audio, name: song.mp3, seconds: 6}}}}
  - bot: {{says: song.mp3}}
  - bot: {{idle: true}}
  - nemo: {{script: two_stages, args: {{prompt: make a 2 second video of a cat}}, switches: {{pace: {{edit_s: 60}}}}}}
  - Flo: {{says: "{cat}"}}
  - bot: {{sends: {{}}}}
  - nemo: {{switches: {{pace: {{edit_s: 0}}}}}}
  - Gus: {{sends: {{name: tall.mp4, seconds: 2, width: 90, height: 160}}}}
  - bot: {{says: tall.mp4}}
  - bot: {{idle: true}}
"""
GROUP = """
title: Every button in a group
settings: {{NEMO_TOKEN: nmv_usr_operator, DAILY_JOBS_PER_PERSON: 0, DAILY_JOBS_PER_CHAT: 0, QUEUE_LIMIT: 500}}
accounts: {{nmv_usr_operator: {{credits: 100000}}}}
telegram: {{flood_limits: false}}
people: {{Ann: {{language: {language}}}, Bo: {{language: {language}}}, Cleo: {{language: {language}}}}}
chats: {{Film club: {{creator: Ann, members: [Cleo, Bo]}}}}
steps:
  - Bo: {{says: /start, chat: Film club}}
  - Bo: {{says: /settings, chat: Film club}}
  - Bo: {{says: /settings, chat: Film club}}
  - Bo: {{says: /settings, chat: Film club}}
  - Bo: {{says: /settings, chat: Film club}}
  - Bo: {{says: /skill, chat: Film club}}
  - Bo: {{says: /language, chat: Film club}}
  - Bo: {{says: /link, chat: Film club}}
  - Bo: {{sends: {{name: beach.mp4, seconds: 7}}, caption: "/edit {trim}", chat: Film club}}
  - bot: {{sends: {{}}}}
  - nemo: {{script: typed_error}}
  - Bo: {{says: "/edit {title}", chat: Film club}}
  - bot: {{buttons: "{again}"}}
  - nemo: {{script: two_stages, args: {{prompt: make a 2 second video of a cat}}, switches: {{pace: {{edit_s: 60}}}}}}
  - Bo: {{says: "/edit {cat}", chat: Film club}}
  - bot: {{sends: {{}}}}
  - nemo: {{switches: {{pace: {{edit_s: 0}}}}}}
  - bot: {{idle: true}}
  - Bo: {{says: /status, chat: Film club}}
  - Bo: {{says: /projects, chat: Film club}}
  - Bo: {{says: /history, chat: Film club}}
  - Bo: {{says: /new, chat: Film club}}
  - Bo: {{says: /forget, chat: Film club}}
  - Bo: {{says: /forget, chat: Film club}}
  - bot: {{idle: true}}
"""
# Each page that the settings lead to takes a message away from their first page.
RIGHTS = {
    "asker": {"settings", "brand", "language ", "skills 1", "projects 1", "project", "rename_project"}
    | {"retry", "keep", "strip audio", "strip text"},
    "admin": {f"set {on} {setting}" for setting in Setting for on in (False, True)}
    | {f"brand_format {ratio}" for ratio in ("9x16", "1x1", "16x9", "clip")}
    | {"language en", "language zh", "skill", "forget"},
}
"""Who at least has to press what changes or ends something for all; whatever is not here, every member may press."""
PROMISES = {
    *(f"next {name}" for name in SUGGESTIONS),
    *(f"strip {name}" for name in EXTRAS),
    "sample",
    "place",
    "restore_version",
}
REQUESTS = {
    "en": {
        "trim": "trim it to 6 seconds",
        "title": "add a title, make it vertical",
        "background": "New background",
        "scenes": "Video from words",
        "generate": "make a video of a cat",
        "cat": "a cat please",
        "again": "Try again",
    },
    "zh-hans": {
        "trim": "剪到 6 秒",
        "title": "加一个标题，改成竖屏",
        "background": "更换背景",
        "scenes": "文字生成视频",
        "generate": "生成一段小猫的视频",
        "cat": "来一只小猫",
        "again": "重试",
    },
}


async def crawl(script: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Crawler:
    """Play a conversation, and press every button that its chats show."""
    crawlers: list[Crawler] = []

    def crawler(*args: Any) -> Crawler:
        crawlers.append(Crawler(built_in_cards(), *args))
        return crawlers[0]

    monkeypatch.setattr(player, "Player", crawler)
    file = tmp_path / "crawl.yaml"
    file.write_text(script, encoding="utf-8")
    (tmp_path / "work").mkdir()
    assert await player.play(read_conversation(file), tmp_path / "out", tmp_path / "work", store.url) is None
    return crawlers[0]


@pytest.mark.parametrize("language", REQUESTS)
async def test_every_button_does_what_it_promises(
    language: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = SCRIPT.format(language=language, **REQUESTS[language])
    crawler = await crawl(script, tmp_path, store, monkeypatch)
    missing = PROMISES - crawler.seen_in_video
    assert not missing
    assert {kind for kind in crawler.seen_in_video if kind.startswith("form")}
    assert crawler.pressed > 60


@pytest.mark.parametrize("language", REQUESTS)
async def test_every_button_in_a_group_is_for_those_who_may_press_it(
    language: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawler = await crawl(GROUP.format(language=language, **REQUESTS[language]), tmp_path, store, monkeypatch)
    for kind, role in crawler.allowed.items():
        expected = next((one for one, kinds in RIGHTS.items() if kind in kinds), "member")
        assert (kind, role) == (kind, expected)
    missing = (RIGHTS["asker"] | RIGHTS["admin"]) - crawler.allowed.keys()
    assert not missing, sorted(crawler.allowed)
