"""A soak: many chats at once, processes and the store ended again and again, and in the end the records compared.

    uv run python -m tests.interruptions.soak --chats 50 --requests 6 --kills 60

Intake and workers are processes of their own on one store. Which of them ends is chosen by a seeded generator, and
so is whether by SIGKILL or SIGTERM; something else starts in its place. Somebody else asks for help each time, and the
answer's delay is the recovery. Prints a table and ends with 1 when anything was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bot.sandbox.botapi.client import Person, Seen
from bot.sandbox.samples import make_video
from tests.interruptions.expected import EDITING_CREDITS, kind_of
from tests.interruptions.world import (
    ExternalStore,
    Process,
    World,
    external_store,
    is_live,
    open_world,
    until,
)

ROLES = ("intake", "intake", "worker", "worker")
TOKEN = "nmv_usr_soak"

DEAD_WORKER_S = "5"
"""Shorter than in real use, longer than a busy machine keeps a live process from renewing it."""

DRAIN_S = 30.0
"""For a process to end when told to, while the store may be away."""

AT_REST_S = 300.0
"""For what was still open after the last kill; far more than it takes."""

RETRY = "🔁 Try again"

STORE_SHARE = 0.1
"""Of the kills: those that hit the store."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is asked for, and how often something ends.

    Args:
        chats: People, each in a private chat.
        prompts: Requests of each of them, the first with a clip.
        kills: How often a process or the store is ended.
        seed: Of what is chosen.
        every_s: Seconds between two ends, in the mean.
    """

    chats: int
    prompts: int
    kills: int
    seed: int
    every_s: float = 0.8


@dataclass(slots=True)
class Prompt:
    """One of the requests.

    Args:
        person: Who asked.
        text: In words that no other request has.
        message_id: Of the message that brought it.
        unsure: The chat was told that nobody can tell whether it arrived, and the button was pressed.
    """

    person: Person
    text: str
    message_id: int
    unsure: bool = False


@dataclass(slots=True)
class Tally:
    """What both services have to show for it.

    Attributes:
        jobs: Requests that were sent.
        ended: What was ended how often, such as ``worker SIGKILL``.
        faults: What is not as it has to be, a line each.
        unsure: Requests whose arrival at the agent nobody can tell, as the process was killed while it sent them. They
            are never sent again by themselves: the chat is told so, with a button.
        took_s: From the first request to the last answer.
        recovery_s: How long a question asked at each end of something waited for its answer.
    """

    jobs: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    unsure: int = 0
    took_s: float = 0.0
    recovery_s: list[float] = field(default_factory=list)


async def soak(plan: Plan, world: World, store: ExternalStore) -> Tally:
    """Play a plan and compare the records."""
    choose = random.Random(plan.seed)  # noqa: S311 - to be repeated
    world.bots.redis_url = store.url
    await add_account(world, plan)
    processes = {place: start(world, role) for place, role in enumerate(ROLES)}
    for process in processes.values():
        await world.bots.ready(process)

    async def disturb(tally: Tally) -> None:
        await _end_again_and_again(world, store, processes, plan, choose, tally)

    return await ask_and_compare(plan, world, choose, disturb)


async def add_account(world: World, plan: Plan) -> None:
    """Let all of a plan's requests be paid from one account; before any process starts."""
    await world.nemo.add_account(credits=EDITING_CREDITS * plan.chats, token=TOKEN)


async def ask_and_compare(
    plan: Plan, world: World, choose: random.Random, disturb: Callable[[Tally], Awaitable[None]]
) -> Tally:
    """Let people ask while something is wrong, see all of it through, and compare the records.

    Args:
        plan: Who asks how often.
        world: Where processes run.
        choose: When each asks.
        disturb: Causes what is wrong, and ends it.
    """
    tally = Tally(jobs=plan.chats * plan.prompts)
    people = [
        await world.people.person(f"Person {number}", language_code="en") for number in range(plan.chats)
    ]
    for person in people:
        await person.open()
    began_s = time.monotonic()
    asking = [asyncio.create_task(_ask(world, person, plan.prompts, choose.random())) for person in people]
    await disturb(tally)
    asked = [prompt for prompts in await asyncio.gather(*asking) for prompt in prompts]
    for prompt in asked:
        await _see_through(prompt, tally)
    await world.at_rest()
    tally.took_s = time.monotonic() - began_s
    await _compare_telegram(people, asked, tally)
    await _compare_nemo(world, people, asked, tally)
    return tally


def start(world: World, role: str, **settings: str) -> Process:
    """Start a process, which gives no job up and limits nobody."""
    # On a busy machine one job may meet many of the ends; when to give up is another test's.
    # Nobody is told of a daily limit: that would count as another answer.
    limits = {"JOB_ATTEMPTS": "100", "DAILY_JOBS_PER_PERSON": "0"}
    return world.bots.start(role, NEMO_TOKEN=TOKEN, DEAD_WORKER_S=DEAD_WORKER_S, **limits, **settings)


async def _ask(world: World, person: Person, prompts: int, pause_s: float) -> list[Prompt]:
    """Send one's requests."""
    asked = []
    for place in range(prompts):
        await asyncio.sleep(pause_s * (place + 1))
        text = _prompt(person, place)
        if place == 0:
            sent = await person.send_file("video", world.clip, caption=text, duration=1, width=64, height=48)
        else:
            sent = await person.say(text)
        asked.append(Prompt(person, text, sent.id))
    return asked


def _prompt(person: Person, place: int) -> str:
    return f'add a title "{place + 1} of {person.json["first_name"]}"'


async def _end_again_and_again(
    world: World,
    store: ExternalStore,
    processes: dict[int, Process],
    plan: Plan,
    choose: random.Random,
    tally: Tally,
) -> None:
    bystander = await world.people.person("Bystander", language_code="en")
    await bystander.open()
    answers: list[asyncio.Task[float]] = []
    for _ in range(plan.kills):
        await asyncio.sleep(choose.uniform(0.1, 2 * plan.every_s - 0.1))
        number = choose.choice((signal.SIGKILL, signal.SIGTERM))
        if choose.random() < STORE_SHARE:
            tally.ended[f"store {number.name}"] += 1
            await asyncio.to_thread(store.stop, number)
            await asyncio.sleep(choose.uniform(0.0, 1.0))
            store.start()
        else:
            place = choose.randrange(len(ROLES))
            role, process = ROLES[place], processes[place]
            tally.ended[f"{role} {number.name}"] += 1
            await _end(world, process, number)
            processes[place] = start(world, role)
        answers.append(asyncio.create_task(_recovery_s(bystander, len(answers) + 1)))
    tally.recovery_s += await asyncio.gather(*answers)
    given = len(await bystander.chat.messages(from_bots=True))
    if given != plan.kills:
        tally.faults.append(f"{plan.kills} questions of a bystander had {given} answers")


async def _end(world: World, process: Process, number: signal.Signals) -> None:
    """End a process, which may be starting still, or have given up because the store was away."""
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, number)

    async def is_gone() -> bool:
        return not process.is_alive()

    await until(is_gone, DRAIN_S)
    world.bots.running.remove(process)


async def _recovery_s(bystander: Person, number: int) -> float:
    """Return how long a question waits for its answer.

    Args:
        bystander: Asks nothing else.
        number: How many questions were asked, with this one. Answers are counted: of two questions that came while no
            process took updates, the first one's answer need not quote it.
    """
    began_s = time.monotonic()
    await bystander.say("/help")

    async def is_answered() -> bool:
        return len(await bystander.chat.messages(from_bots=True)) >= number

    await until(is_answered, AT_REST_S)
    return time.monotonic() - began_s


async def _see_through(prompt: Prompt, tally: Tally) -> None:
    """Wait for a request's video, pressing the button when its arrival at the agent was not to be known."""

    async def is_over() -> bool:
        found = await _answers(prompt)
        if any(kind_of(seen) == "video" for seen in found):
            return True
        unsure = next((seen for seen in found if seen.buttons == [RETRY]), None)
        if unsure is not None and not prompt.unsure:
            prompt.unsure = True
            tally.unsure += 1
            await prompt.person.press(unsure, RETRY)
        return False

    try:
        await until(is_over, AT_REST_S)
    except AssertionError:
        said = await prompt.person.chat.messages(deleted=True)
        tally.faults.append(
            f"{prompt.text}: no video; its chat: {[(seen.id, seen.text[:60]) for seen in said]}"
        )


async def _answers(prompt: Prompt) -> list[Seen]:
    """What the bot said to a request, but for progress messages; deleted ones too."""
    said = await prompt.person.chat.messages(deleted=True, from_bots=True)
    everything = await prompt.person.chat.messages()
    requests = {seen.id: seen.text for seen in everything if not seen.json["from"]["is_bot"]}
    return [seen for seen in said if _asked_by(seen, requests) == prompt.message_id and not is_live(seen)]


def _asked_by(seen: Seen, requests: Mapping[int, str]) -> int:
    """Return the request that a message answers: it quotes that, unless nothing came in between.

    What came while no process took updates is not known to have come in between; then the title tells.

    Args:
        seen: The message.
        requests: The texts of all requests, by the ids of their messages.
    """
    quoted = seen.json.get("reply_to_message", {}).get("message_id")
    titles = {request: text.partition('"')[2] for request, text in requests.items()}
    named = next((request for request, title in titles.items() if title and title in seen.text), None)
    return int(quoted or named or max((request for request in requests if request < seen.id), default=0))


async def _compare_telegram(people: list[Person], asked: list[Prompt], tally: Tally) -> None:
    for prompt in asked:
        found = await _answers(prompt)
        expected = ["text", "video"] if prompt.unsure else ["video"]
        if [kind_of(seen) for seen in found] != expected or any(seen.deleted_at for seen in found):
            tally.faults.append(f"{prompt.text}: answered with {[seen.text[:60] for seen in found]}")
    for person in people:
        name = person.json["first_name"]
        said = await person.chat.messages(deleted=True, from_bots=True)
        left = [seen.text for seen in said if is_live(seen) and seen.deleted_at is None]
        if left:
            tally.faults.append(f"{name}: progress messages were left: {left}")
        numbers = {prompt.message_id: prompt.text for prompt in asked if prompt.person is person}
        stray = [seen.text for seen in said if not is_live(seen) and _asked_by(seen, numbers) not in numbers]
        if stray:
            tally.faults.append(f"{name}: nobody asked for {stray}")
        again = {prompt.message_id for prompt in asked if prompt.unsure}
        videos = [
            _asked_by(seen, numbers)
            for seen in said
            if kind_of(seen) == "video" and _asked_by(seen, numbers) not in again
        ]
        if videos != sorted(videos):
            tally.faults.append(f"{name}: the videos came out of order")


async def _compare_nemo(world: World, people: list[Person], asked: list[Prompt], tally: Tally) -> None:
    by_session: dict[str, list[str]] = defaultdict(list)
    for message in await world.nemo.messages():
        by_session[message.session_id].append(message.text)
    for person in people:
        texts = [prompt.text for prompt in asked if prompt.person is person and not prompt.unsure]
        again = [prompt.text for prompt in asked if prompt.person is person and prompt.unsure]
        heard = next((heard for heard in by_session.values() if set(texts + again) & set(heard)), [])
        if sorted(heard) != sorted(texts + again):
            tally.faults.append(f"{person.json['first_name']}: NemoVideo was asked {heard}")
        if [text for text in heard if text in texts] != texts:
            tally.faults.append(f"{person.json['first_name']}: NemoVideo was asked out of order")
    charged = Counter(charge.session_id for charge in await world.nemo.charges())
    if sorted(charged.values()) != [1] * len(people):
        tally.faults.append(f"charged: {charged}")
    renders = len(await world.nemo.renders())
    if renders != len(asked):
        tally.faults.append(f"{renders} renders for {len(asked)} requests")
    uploads = [len(session.uploads) for session in await world.nemo.sessions() if session.uploads]
    if uploads != [1] * len(people):
        tally.faults.append(f"uploads by session: {uploads}")


def report(plan: Plan, tally: Tally) -> str:
    """The tally as a table."""
    waits = sorted(tally.recovery_s)
    rows = [
        ("chats · requests", f"{plan.chats} · {tally.jobs}"),
        (
            "ended",
            ", ".join(f"{what} {count}" for what, count in sorted(tally.ended.items())) or "nothing",
        ),
        ("lost, doubled, out of order", str(len(tally.faults))),
        ("arrival unknown, told with a button, and done when pressed", str(tally.unsure)),
        ("took", f"{tally.took_s:.1f} s"),
    ]
    if waits:
        rows.append(
            (
                "recovery, median and longest",
                f"{waits[len(waits) // 2]:.2f} s · {waits[-1]:.2f} s",
            )
        )
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join([*lines, *tally.faults])


async def play(plan: Plan) -> Tally:
    """Play a plan in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, external_store() as store:
        directory = Path(folder)
        clip = make_video(directory / "clip.mp4", 1.0, 64, 48, 12)
        async with open_world(directory, clip) as world:
            return await soak(plan, world, store)


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chats", type=int, default=50)
    parser.add_argument("--requests", dest="prompts", type=int, default=6)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every-s", type=float, default=0.8)
    plan = Plan(**vars(parser.parse_args()))
    tally = asyncio.run(play(plan))
    print(report(plan, tally))
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
