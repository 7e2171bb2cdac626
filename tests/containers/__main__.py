"""Try `deploy/` in containers; `deploy/try/run` starts this where loopback is the only network."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.containers import trials
from tests.containers.podman import NotHere, prepare_images

TRIALS = {
    "nobody": trials.nobody,
    "main-job": trials.main_job,
    "upgrade": trials.upgrade,
    "backup": trials.backup,
    "webhook": trials.webhook,
    "bot-api": trials.bot_api,
}

TRIAL_S = 300.0
"""For one trial; the longest takes a tenth of it."""

FAILED, NOT_HERE = 1, 77


async def _play(name: str) -> bool:
    trial = TRIALS[name]
    print(f"\n{name}: {trial.__doc__}", flush=True)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nemovideo-try-") as directory:
        try:
            async with asyncio.timeout(TRIAL_S):
                await trial(Path(directory))
        except Exception:
            traceback.print_exc()
            print(f"{name}: FAILED", flush=True)
            return False
    print(f"{name}: passed in {time.monotonic() - began_s:.0f} s", flush=True)
    return True


def main() -> int:
    """Prepare the images, or try what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", action="store_true", help="only get the images, which needs the network")
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"{', '.join(TRIALS)}; all by default")
    arguments = parser.parse_args()
    if unknown := set(arguments.trials) - set(TRIALS):
        parser.error(f"no such trial: {', '.join(unknown)}")
    if arguments.images:
        try:
            prepare_images()
        except NotHere as reason:
            print(f"containers: nothing was tried: {reason}")
            return NOT_HERE
        return 0
    passed = [asyncio.run(_play(name)) for name in arguments.trials or TRIALS]
    print(f"\ncontainers: {passed.count(True)} trials passed, {passed.count(False)} failed")
    return 0 if all(passed) else FAILED


if __name__ == "__main__":
    sys.exit(main())
