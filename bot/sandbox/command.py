"""What ``nemovideo-bot sandbox`` does."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path

import typer

from bot.clock import SystemClock
from bot.sandbox import conversation, player
from bot.sandbox.conversation import WrongFile
from bot.sandbox.services import serve_services
from bot.sandbox.transcript import FILE_NAME

__all__ = ["MAIN_JOB", "WrongFile", "play", "stay"]

MAIN_JOB = conversation.DIRECTORY / "main_job.yaml"


async def play(file: Path, out: Path) -> int:
    """Play a conversation file.

    Args:
        file: What to play.
        out: Where the transcript and the delivered files go.

    Returns:
        The exit code: 0 when every expectation held.

    Raises:
        WrongFile: It can't be played, or nothing can be written to ``out``.
    """
    script = conversation.read_conversation(file)
    try:
        await asyncio.to_thread(out.mkdir, parents=True, exist_ok=True)
    except OSError as error:
        raise WrongFile(f"{out}: {error.strerror}") from error
    with tempfile.TemporaryDirectory(prefix="nemovideo-") as work_dir:
        try:
            difference = await player.play(script, out, Path(work_dir))
        except WrongFile as error:
            raise WrongFile(f"{file}, {error}") from error
    if difference is not None:
        typer.echo(f"{script.title}: not as expected\n{difference}", err=True)
    else:
        typer.echo(f"{script.title}: every expectation held")
    typer.echo(f"Transcript and files: {out / FILE_NAME}")
    return 0 if difference is None else 1


async def stay(*, with_bot: bool) -> None:
    """Run the stand-ins, and the bot against them, until told to stop.

    Args:
        with_bot: Whether the bot runs too.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        work_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nemovideo-")))
        clock = SystemClock()
        services = await stack.enter_async_context(serve_services(work_dir / "services", clock))
        if with_bot:
            await stack.enter_async_context(player.running_bot(services, work_dir / "bot", clock))
        typer.echo(f"Telegram   {services.telegram_url}   (its people: {services.telegram_url}/control/)")
        typer.echo(f"NemoVideo  {services.nemo_url}   (its switches: {services.nemo_url}/control/)")
        bot = f"files in {work_dir}" if with_bot else "not started"
        typer.echo(f"Bot        token {services.token}, {bot}; Ctrl-C ends everything")
        await stop.wait()
