"""Processes that end while a template, an inline or a spoken request is used, and while a video goes to a channel."""

from __future__ import annotations

import pytest

from bot.sandbox import transcriber
from bot.sandbox.samples import make_audio
from bot.web.serve import serve
from tests.interruptions.expected import TITLE
from tests.interruptions.test_projects import SECOND, Held, kill_at
from tests.interruptions.world import PATIENCE_S, World
from tests.interruptions.worlds import Worlds

pytestmark = pytest.mark.heavy

AT_WORK = Held("message", "work")
"""The agent works on the request."""

SHOWN = Held()
"""Nothing is held: the process is killed in the moment in which the text can be corrected."""


async def _asked(world: World) -> list[str]:
    return [message.text for message in await world.nemo.messages()]


async def _count(world: World, text: str) -> int:
    return len([seen for seen in await world.said() if text in seen.text])


async def test_a_template_is_saved_and_run_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        first = world.bots.start()
        await world.prompt()
        await world.videos()
        await world.at_rest()
        if at.method:
            await kill_at(world, first, at, lambda: world.ada.say("/save title"))
        else:
            await world.ada.say("/save title")
        saved = await world.ada.chat.wait(matching="Saved as", timeout_s=PATIENCE_S)
        await world.at_rest()
        await world.ada.press(saved, "Templates", timeout_s=PATIENCE_S)
        listed = await world.ada.chat.wait(
            matching="Your templates", message=saved.id, versions=2, timeout_s=PATIENCE_S
        )
        assert [button for button in listed.buttons if "title" in button] == ["title"]
        await world.ada.press(listed, "title", timeout_s=PATIENCE_S)
        one = await world.ada.chat.wait(message=saved.id, versions=3, timeout_s=PATIENCE_S)
        if at.method:
            await world.ada.press(one, "Use on this one", timeout_s=PATIENCE_S)
        else:
            await kill_at(
                world, first, at, lambda: world.ada.press(one, "Use on this one", timeout_s=PATIENCE_S)
            )
        await world.videos(2)
        await world.at_rest()
        assert await _asked(world) == [TITLE, TITLE]

    await worlds.at_each({"the answer is on its way": Held(method="sendMessage"), "it runs": AT_WORK}, play)


async def test_an_inline_request_runs_once_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        await world.people.ask("set_bot", bot=world.people.bot, inline=True)
        first = world.bots.start()
        answer = await world.ada.type_inline("make a 1 second video of a cat", timeout_s=PATIENCE_S)
        payload = answer["button"]["start_parameter"]
        await kill_at(world, first, at, lambda: world.ada.start(payload))
        await world.videos()
        await world.at_rest()
        assert [text.splitlines()[0] for text in await _asked(world)] == ["make a 1 second video of a cat"]
        assert len(await world.videos()) == 1

    await worlds.at_each({"it runs": AT_WORK, "it was asked for": Held("session")}, play)


async def test_a_spoken_request_is_shown_and_runs_once_whenever_the_process_is_killed(
    worlds: Worlds,
) -> None:
    async def play(world: World, at: Held) -> None:
        async with serve(transcriber.create_app([SECOND])) as url:
            settings = {"TRANSCRIBE_URL": f"{url}/v1", "TRANSCRIBE_KEY": transcriber.KEY}
            first = world.bots.start(**settings)
            await world.prompt()
            await world.videos()
            await world.at_rest()
            spoken = make_audio(world.bots.directory / "voice.ogg", 1)
            await world.ada.send_file("voice", spoken, duration=1)
            offer = await world.ada.chat.wait(matching="Got it", timeout_s=PATIENCE_S)

            async def press() -> None:
                await world.ada.press(offer, "my request", timeout_s=PATIENCE_S)
                if at == SHOWN:
                    await world.ada.chat.wait(matching=f"“{SECOND}”", timeout_s=PATIENCE_S)

            await kill_at(world, first, at, press, **settings)
            await world.videos(2)
            await world.at_rest()
            assert await _asked(world) == [TITLE, SECOND]
            assert await _count(world, f"“{SECOND}”") == 1

    await worlds.at_each({"its text is shown": SHOWN, "it runs": AT_WORK}, play)


async def test_a_video_is_posted_once_at_most_whenever_the_process_is_killed(worlds: Worlds) -> None:
    async def play(world: World, at: Held) -> None:
        channel = await world.people.new_chat("channel", "Beaches", world.ada, bot="")
        await channel.set_member(world.people.bot, "administrator", by=world.ada)
        first = world.bots.start()
        await world.prompt()
        (video,) = await world.videos()
        await world.at_rest()
        await world.ada.press(video, "More", timeout_s=PATIENCE_S)
        more = await world.ada.chat.wait(message=video.id, versions=2, timeout_s=PATIENCE_S)
        await world.ada.press(more, "Post to channel", timeout_s=PATIENCE_S)
        await world.ada.chat.wait(matching="caption", timeout_s=PATIENCE_S)
        await world.ada.say("Sea")
        sure = await world.ada.chat.wait(matching="Post it like this", timeout_s=PATIENCE_S)
        await world.at_rest()
        await kill_at(world, first, at, lambda: world.ada.press(sure, "Post", timeout_s=PATIENCE_S))
        is_known = at.method == "sendMessage"
        told = "Posted in" if is_known else "can't tell"
        answer = await world.ada.chat.wait(matching=told, timeout_s=PATIENCE_S)
        await world.at_rest()
        assert await _count(world, told) == 1
        posts = await channel.messages()
        assert len(posts) == (0 if at.when == "before" and not is_known else 1)
        if not is_known:
            # Whoever has looked decides.
            await world.ada.press(answer, "Try again", timeout_s=PATIENCE_S)
            await world.ada.chat.wait(matching="Posted in", timeout_s=PATIENCE_S)
            assert len(await channel.messages()) == len(posts) + 1

    await worlds.at_each(
        {
            "the post is on its way": Held(method="sendVideo"),
            "the post is there": Held(method="sendVideo", when="after"),
            "its link is on its way": Held(method="sendMessage"),
        },
        play,
    )
