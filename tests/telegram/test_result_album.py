"""Several results in one album: sent once, with one caption, or not at all."""

import shutil
from itertools import repeat
from pathlib import Path

import pytest

from bot.jobs.messages import LocalizedMessage
from bot.jobs.ports import Result
from tests.clocks import passing
from tests.telegram.conftest import Died, Notebook, Start, Telegram, a_result

CAPTION = LocalizedMessage("variations.line", {"version": "v2", "name": LocalizedMessage("variations.calm")})


def results(*clips: Path) -> list[Result]:
    return [a_result(clip, size_bytes=clip.stat().st_size) for clip in clips]


async def test_an_album_has_one_caption_and_each_video_its_thumbnail(telegram: Telegram, clip: Path) -> None:
    ada = await telegram.people.person("Ada")
    await ada.say("make 3 versions")
    checkpoints = Notebook()
    for _ in range(2):  # The second attempt finds it sent.
        job = telegram.job(ada.chat.id, 1, language="zh")
        responder = telegram.responder(job, checkpoints, repeat("en"))  # It was chosen meanwhile.
        sent = await passing(telegram.clock, responder.deliver_album("album", results(clip, clip), CAPTION))
    assert sent is not None
    videos = [one for one in await ada.chat.messages() if "video" in one.json]
    assert [one.json.get("caption") for one in videos] == ["v2 · calm music", None]
    assert len({one.json["media_group_id"] for one in videos}) == 1
    assert all(one.json["video"]["thumbnail"] and one.json["video"]["duration"] == 2 for one in videos)
    assert await telegram.sent.newest(ada.chat.id) >= videos[-1].id


async def test_an_album_of_an_attempt_that_died_is_found(telegram: Telegram, clip: Path) -> None:
    ada = await telegram.people.person("Ada")
    await ada.say("make 3 versions")
    checkpoints = Notebook(dies_at=lambda name, value: bool(value and value.get("sent")))
    job, both = telegram.job(ada.chat.id, 1), results(clip, clip)
    with pytest.raises(Died):
        await passing(
            telegram.clock, telegram.responder(job, checkpoints).deliver_album("album", both, CAPTION)
        )
    checkpoints.dies_at = None
    sent = await passing(
        telegram.clock, telegram.responder(job, checkpoints).deliver_album("album", both, CAPTION)
    )
    assert sent is not None
    assert len(sent) == 2
    assert len([one for one in await ada.chat.messages() if "video" in one.json]) == 2


async def test_what_telegram_takes_no_album_of_is_left_to_be_sent_one_by_one(
    telegram: Telegram, clip: Path, tmp_path: Path
) -> None:
    ada = await telegram.people.person("Ada")
    await ada.say("make 3 versions")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    large = a_result(clip, size_bytes=telegram.delivery().max_send_bytes)
    for album in (
        results(clip),
        results(clip, broken),
        [*results(clip), large],
        [*results(clip), a_result(link="https://example.com")],
    ):
        responder = telegram.responder(telegram.job(ada.chat.id, 1))
        assert await passing(telegram.clock, responder.deliver_album("album", album, CAPTION)) is None
    await telegram.people.faults.error("sendMediaGroup", code=400, description="VIDEO_FORBIDDEN")
    checkpoints = Notebook()
    for _ in range(2):  # What was refused is not tried again.
        responder = telegram.responder(telegram.job(ada.chat.id, 1), checkpoints)
        sent = await passing(telegram.clock, responder.deliver_album("album", results(clip, clip), CAPTION))
        assert sent is None
        await telegram.people.faults.clear()


async def test_a_local_server_gets_the_path_of_each(start: Start, clip: Path) -> None:
    telegram = await start(local=True)
    ada = await telegram.people.person("Ada")
    await ada.say("make 3 versions")
    here = Path(shutil.copy(clip, telegram.work_dir / "clip.mp4"))
    responder = telegram.responder(telegram.job(ada.chat.id, 1))
    sent = await passing(telegram.clock, responder.deliver_album("album", results(here, here), CAPTION))
    assert sent is not None
    assert all(one.file_id for one in sent)
