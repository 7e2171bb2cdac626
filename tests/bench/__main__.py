"""``uv run python -m tests.bench [name …]``: one table, every figure beside its goal and, where there is one, its peer.

Each benchmark is a module with ``async def measure() -> list[Figure]`` and runs in a process of its own, so that none
inherits another's memory. Tools that a machine lacks (nginx, curl) are named and their lines left out. ``--write`` puts
the figures into the table of ``README.md``, in the place of those of the same benchmarks.
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
from pathlib import Path

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
    "fairness",
    "sweep",
    "stored",
    "million",
)
"""In the order of the table."""

PAGE = Path(__file__).with_name("README.md")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], help="which; all without any")
    parser.add_argument("--json", action="store_true", help="of one benchmark, in its own process")
    parser.add_argument("--write", action="store_true", help="renew the lines of README.md too")
    asked = parser.parse_args()
    if asked.json:
        print(json.dumps([asdict(figure) for figure in _measure(asked.names[0])]))
        return
    print(HEADER, flush=True)
    for name in asked.names or NAMES:
        figures = _in_own_process(name)
        for figure in figures:
            print(figure.row(), flush=True)
        if asked.write and figures:
            _write(figures)


def _write(figures: Sequence[Figure]) -> None:
    """Put figures into the page's table, each in the place of an earlier one of the same path and peer."""
    before, _, rest = PAGE.read_text("utf-8").partition(f"{HEADER}\n")
    old, _, after = rest.partition("\n\n")
    rows = {_subject(row): row for row in (*old.splitlines(), *(figure.row() for figure in figures))}
    table = "\n".join(rows.values())
    PAGE.write_text(f"{before}{HEADER}\n{table}\n\n{after}", "utf-8")


def _subject(row: str) -> tuple[str, str]:
    """Return what a line of the table is about: the path, and the peer without its figure."""
    path, _, peer, *_ = row.removeprefix("| ").split(" | ")
    return path, peer.partition(":")[0]


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
