"""What has to be true of both records in the end."""

from __future__ import annotations

from collections.abc import Sequence

from bot.sandbox.botapi.client import Seen
from tests.interruptions.world import World

EDITING_CREDITS = 50
"""What an editing session costs, however many edits it has."""

TITLE = 'add a title "One"'
"""The request that comes with the clip."""


async def expect_everything_once(
    world: World, prompts: Sequence[str] = (TITLE,), kinds: Sequence[str] = ("video",)
) -> None:
    """Hold both records against what some requests come to, the first of them with a file.

    Each has messages of these kinds, none sent twice or taken away, and a progress message that is gone, wherever it
    moved: down when the next request comes, or when a new start takes more than two seconds to find what was sent.
    NemoVideo was asked, and has rendered, once for each, has the clip once, and charged once.
    """
    await world.videos(len(prompts))
    await world.at_rest()
    said = await world.said()
    assert [seen.deleted_at for seen in said] == [None] * len(said), said
    assert [kind_of(seen) for seen in said] == [*kinds] * len(prompts), said
    live = await world.live()
    assert live
    assert all(seen.deleted_at is not None for seen in live)
    assert [message.text for message in await world.nemo.messages()] == list(prompts)
    assert [charge.credits for charge in await world.nemo.charges()] == [EDITING_CREDITS]
    assert len(await world.nemo.renders()) == len(prompts)
    sessions = [session for session in await world.nemo.sessions() if session.uploads]
    assert [len(session.uploads) for session in sessions] == [1]
    assert [len(track["sg"]) for track in sessions[0].draft["t"] if track["tt"] == 0] == [1]
    assert len(await world.nemo.accounts()) == 1


def kind_of(seen: Seen) -> str:
    """What a message of the bot is."""
    return "video" if "video" in seen.json else "text"
