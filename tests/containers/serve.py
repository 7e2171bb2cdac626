"""Serve both stand-ins from inside a container: the Bot API's as a server of one's own, with `--local`."""

import asyncio
import json
import sys
from pathlib import Path

from bot.sandbox.services import serve_services


async def serve(directory: Path) -> None:
    """Serve them until the process is ended; the first line tells where."""
    async with serve_services(directory, flood_limits=None, local=True) as services:
        names = ("telegram_url", "nemo_url", "people_url", "nemo_control_url", "token")
        print(json.dumps({name: getattr(services, name) for name in names}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
