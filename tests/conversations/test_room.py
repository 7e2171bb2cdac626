"""What the chat sees when the disk has no room for a result."""

from pathlib import Path

import pytest

from bot.jobs.steps import result_download as fetching
from bot.sandbox import player
from bot.sandbox.conversation import read_conversation
from bot.store.connect import Store

HEAD = """
settings: {NEMO_TOKEN: nmv_usr_operator}
accounts:
  nmv_usr_operator: {}
people:
  Ann: {}
chats:
  Film club: {creator: Ann}
"""

TITLE = "title: No room"

WITH_A_LINK = f"""{TITLE}{HEAD}
steps:
  - Ann: {{says: make a 1 second video of a cat}}
  - bot: {{says: [I generated, Your video is ready, out of space right now], never_says: at most, buttons: Download}}
  - Ann: {{presses: Download, opens: /media/}}
"""

WITHOUT_ONE = f"""{TITLE}{HEAD}
nemo: {{render_link: none}}
steps:
  - Ann: {{says: /edit make a 1 second video of a cat, chat: Film club}}
  - bot: {{says: [I generated, out of space right now, /link], buttons: Export}}
"""


REFUSED = f"""{TITLE}{HEAD}
steps:
  - telegram: {{error: {{methods: [sendVideo, sendDocument], code: 400, times: 2, description: no luck}}}}
  - Ann: {{says: make a 1 second video of a cat}}
  - bot: {{says: [I generated, Download it here]}}
  - bot: {{live_is_gone: true}}
  - Ann: {{says: /logout}}
  - bot: {{says: You aren't signed in}}
"""


async def test_a_result_that_can_not_be_sent_leaves_nothing_on_the_disk(tmp_path: Path, store: Store) -> None:
    file = tmp_path / "room.yaml"
    file.write_text(REFUSED, encoding="utf-8")
    (tmp_path / "work").mkdir()
    assert await player.play(read_conversation(file), tmp_path / "out", tmp_path / "work", store.url) is None
    assert not list((tmp_path / "work" / "bot" / "results").iterdir())


@pytest.mark.parametrize("script", [WITH_A_LINK, WITHOUT_ONE], ids=["link", "no link"])
@pytest.mark.parametrize("full", ["before", "while it is written"])
async def test_a_result_that_the_disk_has_no_room_for(
    script: str, full: str, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if full == "before":
        monkeypatch.setattr(fetching, "has_room", lambda *_: False)
    else:
        monkeypatch.setattr(fetching, "_write", no_space)
    file = tmp_path / "room.yaml"
    file.write_text(script, encoding="utf-8")
    (tmp_path / "work").mkdir()
    assert await player.play(read_conversation(file), tmp_path / "out", tmp_path / "work", store.url) is None
    assert not list((tmp_path / "work" / "bot" / "results").iterdir())
