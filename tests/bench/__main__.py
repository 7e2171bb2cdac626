"""``uv run python -m tests.bench [name …]``: one table, every figure beside its goal and, where there is one, its peer.

Each benchmark is a module with ``async def measure() -> list[Figure]`` and runs in a process of its own, so that none
inherits another's memory. Tools that a machine lacks (nginx, curl) are named and their lines left out.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

import uvloop

from tests.bench.table import HEADER, Figure

NAMES = (
    "results",
    "videos",
    "memory",
    "streams",
    "overhead",
    "render",
    "overlap",
    "progress",
    "relay",
    "upload",
    "start",
    "calls",
    "latency",
    "crowd",
    "sweep",
    "stored",
)
"""In the order of the table."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], help="which; all without any")
    parser.add_argument("--json", action="store_true", help="of one benchmark, in its own process")
    asked = parser.parse_args()
    if asked.json:
        print(json.dumps([asdict(figure) for figure in _measure(asked.names[0])]))
        return
    print(HEADER, flush=True)
    for name in asked.names or NAMES:
        for figure in _in_own_process(name):
            print(figure.row(), flush=True)


def _measure(name: str) -> Sequence[Figure]:
    module = importlib.import_module(f"tests.bench.{name}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # The bot's own loop.
        figures: Sequence[Figure] = runner.run(module.measure())
    return figures


def _in_own_process(name: str) -> list[Figure]:
    command = [sys.executable, "-m", "tests.bench", name, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"| {name} | could not be measured: exit code {done.returncode} | | | | ✗ |", flush=True)
        return []
    return [Figure(**fields) for fields in json.loads(done.stdout.splitlines()[-1])]


if __name__ == "__main__":
    main()
