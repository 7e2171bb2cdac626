"""A balancer in front of the bot, as an operator has one; and a machine with IPv6 alone."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from bot.sandbox.botapi.client import Person
from bot.sandbox.services import serve_services
from bot.store.server import find_server_binary
from tests.interruptions.expected import TITLE, expect_everything_once
from tests.interruptions.soak import ROLES, Plan, Tally, add_account, ask_and_compare, report, start
from tests.interruptions.test_replicas import ready as is_ready
from tests.interruptions.world import PATIENCE_S, Process, World, until, world_of
from tests.nemo.servers import free_port

pytestmark = pytest.mark.heavy

SECRET = "of-nobody-at-all-0123456789"
ASKING = 10
EACH_S = 2.0
"""How many people ask questions during a restart, and how long each waits before the next one."""

PASSES_ON = """
pid nginx.pid;
events {{}}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream intake {{
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port};
        location = /hook {{
            proxy_pass http://intake;
            proxy_next_upstream error timeout http_503 non_idempotent;
        }}
    }}
}}
"""


@contextlib.contextmanager
def running(directory: Path, words: str, *command: str) -> Iterator[Path]:
    """Run a program with a configuration until the block is left."""
    if not (found := shutil.which(command[0])):
        pytest.skip(f"{command[0]} is not here")
    directory.mkdir()
    (directory / "conf").write_text(words, "utf-8")
    process = subprocess.Popen([found, *command[1:]], cwd=directory)
    try:
        yield directory
    finally:
        process.terminate()
        process.wait()


async def test_a_rolling_restart_behind_nginx_loses_and_doubles_nothing(world: World, tmp_path: Path) -> None:
    port = free_port()
    addresses = [f"127.0.0.1:{free_port()}" for _ in ROLES]
    servers = " ".join(f"server {one} max_fails=0;" for one in addresses[:2])
    words = PASSES_ON.format(port=port, servers=servers)
    command = ("nginx", "-p", ".", "-c", "conf", "-e", "error.log", "-g", "daemon off; user root;")
    with running(tmp_path / "nginx", words, *command) as nginx:
        plan = Plan(chats=10, prompts=1, kills=4, seed=3)
        await add_account(world, plan)
        asking = [
            await world.people.person(f"Asking {number}", language_code="en") for number in range(ASKING)
        ]
        for person in asking:
            await person.open()

        def run(place: int) -> Process:
            return start(
                world,
                ROLES[place],
                HTTP_LISTEN=addresses[place],
                WEBHOOK_URL=f"http://127.0.0.1:{port}/hook",
                WEBHOOK_SECRET=SECRET,
            )

        async def ready(place: int, process: Process) -> None:
            """Wait for what an orchestrator waits for: a process logs that it is ready before its webhook is open."""
            await world.bots.ready(process)
            await until(partial(is_ready, f"http://{addresses[place]}"))

        processes = []
        for place in range(len(ROLES)):
            processes.append(run(place))
            await ready(place, processes[place])

        waits_s: list[float] = []

        async def disturb(tally: Tally) -> None:
            is_over = asyncio.Event()
            questions = [asyncio.create_task(ask_until(person, is_over)) for person in asking]
            for place, process in enumerate(processes):
                await world.bots.end(process, signal.SIGTERM)
                tally.ended[ROLES[place]] += 1
                await ready(place, run(place))
            is_over.set()
            for found in await asyncio.gather(*questions):
                waits_s.extend(found)

        tally = await ask_and_compare(plan, world, random.Random(3), disturb)  # noqa: S311 - to be repeated
        statuses = Counter(re.findall(r'HTTP/1.\d" (\d+)', (nginx / "access.log").read_text()))
        print(
            report(plan, tally),
            f"{len(waits_s)} questions",
            f"longest {max(waits_s):.2f} s",
            statuses,
            sep="\n",
        )
        print((nginx / "error.log").read_text())

        assert tally.faults == []
        for person in asking:
            said = await person.chat.messages(from_bots=True, deleted=True)
            heard = [seen for seen in await person.chat.messages() if not seen.json["from"]["is_bot"]]
            assert len(said) == len(heard) > 0
        assert statuses.keys() == {"200"}
        assert len(await world.people.calls("setWebhook")) == 1


async def ask_until(person: Person, is_over: asyncio.Event) -> list[float]:
    """Ask for help again and again; give how long each answer took, in seconds."""
    waits_s: list[float] = []
    while not is_over.is_set():
        began_s = time.monotonic()
        await person.say("/help")
        await person.chat.wait_all(len(waits_s) + 1, timeout_s=PATIENCE_S)
        waits_s.append(time.monotonic() - began_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), EACH_S)
    return waits_s


@contextlib.asynccontextmanager
async def six_only(directory: Path, clip: Path) -> AsyncIterator[World]:
    """A world in which nobody listens on an address of IPv4."""
    async with (
        serve_services(directory / "services", host="::1") as services,
        world_of(services, directory, clip) as world,
    ):
        yield world


async def test_a_job_is_done_with_addresses_of_ipv6_alone(tmp_path: Path, clip: Path) -> None:
    store, listens = free_port("::1"), free_port("::1")
    command = (str(find_server_binary()), "--bind", "::1", "--port", str(store), "--save", "")
    with running(tmp_path / "store", "", *command):
        async with six_only(tmp_path, clip) as world:
            world.bots.redis_url = f"redis://[::1]:{store}/0"
            process = world.bots.start(
                HTTP_LISTEN=f"[::1]:{listens}",
                WEBHOOK_URL=f"http://[::1]:{listens}/hook",
                WEBHOOK_SECRET=SECRET,
            )
            await world.bots.ready(process)
            await world.prompt(TITLE)
            await expect_everything_once(world)
            async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
                assert (await http.get(f"http://[::1]:{listens}/readyz")).status_code == 200
            assert "[warning" not in world.bots.tell()
