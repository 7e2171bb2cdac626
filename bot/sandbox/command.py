"""The ``nemovideo-bot sandbox`` command."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import typer

from bot.runtime.clock import SystemClock
from bot.runtime.terminal import progress
from bot.sandbox import conversation, page, player
from bot.sandbox.botapi.client import People
from bot.sandbox.conversation import WrongFile
from bot.sandbox.running import running_bot
from bot.sandbox.services import serve_services
from bot.sandbox.transcript import FILE_NAME
from bot.settings import load_settings
from bot.startup import CannotStart
from bot.store.connect import open_store
from bot.web.serve import serve

__all__ = ["MAIN_JOB", "WrongFile", "chat", "chat_page", "load", "play", "services"]

MAIN_JOB = conversation.DIRECTORY / "main_job.yaml"


async def play(file: Path, out: Path) -> int:
    """Play a conversation file.

    Args:
        file: The conversation file.
        out: Directory for the transcript and the delivered files.

    Returns:
        The exit code: 0 if every expectation held, otherwise 1.

    Raises:
        WrongFile: The file can't be played, or ``out`` can't be written to.
    """
    script = conversation.read_conversation(file)
    # As Ctrl-C: killed at once, it would leave its store running.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
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


async def services(telegram_port: int = 0, nemo_port: int = 0) -> None:
    """Run the stand-ins alone until a signal stops them.

    Args:
        telegram_port: Port of the Bot API; 0 for a free one.
        nemo_port: Port of NemoVideo, likewise.

    Raises:
        CannotStart: A port can't be used.
    """
    stop = _stop_by_signal()
    async with contextlib.AsyncExitStack() as stack:
        work_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nemovideo-")))
        stand_ins = serve_services(work_dir, telegram_port=telegram_port, nemo_port=nemo_port)
        try:
            services = await stack.enter_async_context(stand_ins)
        except OSError as error:
            raise CannotStart(f"A port can't be used: {error.strerror}") from error
        typer.echo(f"Telegram   {services.telegram_url}   (its people: {services.people_url}/control/)")
        typer.echo(f"NemoVideo  {services.nemo_url}   (its switches: {services.nemo_control_url}/control/)")
        typer.echo(f"Bot        token {services.token}, not started; Ctrl-C ends everything")
        await stop.wait()


async def load(chats: int, minutes: float) -> None:
    """Play a crowd with the operator's settings, and print what it took.

    Args:
        chats: Number of people.
        minutes: How long they write.

    Raises:
        WrongSettings: A setting is not valid.
    """
    from bot.sandbox import load as crowd  # Nothing else of the sandbox needs it.

    await crowd.run(chats, minutes, load_settings(), _stop_by_signal())


async def chat(data_dir: Path | None, port: int) -> None:
    """Run the bot against the stand-ins, with the chat page, until a signal stops it.

    Args:
        data_dir: Directory for files, which are kept; by default a temporary one that is removed at the end.
        port: Port of the page; 0 for a free one.

    Raises:
        CannotStart: The directory or the port can't be used.
    """
    stop = _stop_by_signal()
    async with contextlib.AsyncExitStack() as stack:
        work_dir = data_dir or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="nemovideo-", ignore_cleanup_errors=True))
        )
        with progress("Making people, chats and clips") as report:
            address = await stack.enter_async_context(chat_page(work_dir, port, report))
        kept = f"   files stay in {data_dir}" if data_dir else ""
        typer.echo(f"Chat with the bot: {address}   (Ctrl-C ends it){kept}")
        await stop.wait()


@contextlib.asynccontextmanager
async def chat_page(
    work_dir: Path, port: int = 0, report: Callable[[str], None] = lambda _: None
) -> AsyncIterator[str]:
    """Serve the chat page with everything it needs, until the block is left.

    Args:
        work_dir: Directory for files. It has to be empty, because the stand-ins keep no state between runs.
        port: Port of the page; 0 for a free one.
        report: Called with what is being done now.

    Yields:
        The page's URL.

    Raises:
        CannotStart: The directory or the port can't be used.
    """
    clock = SystemClock()
    async with contextlib.AsyncExitStack() as stack:
        await asyncio.to_thread(_make_empty, work_dir)
        services = await stack.enter_async_context(
            serve_services(work_dir / "services", clock, pace=replace(page.PACE))
        )
        people = await stack.enter_async_context(People(services.people_url, app=services.telegram_app))
        await page.set_scene(people, work_dir / "clips")
        page.add_accounts(services.nemo)
        report("Starting the store")
        store = await stack.enter_async_context(open_store(None, work_dir / "bot"))
        report("Starting the bot")
        bot = running_bot(services, work_dir / "bot", clock, redis_url=store.url, **page.SETTINGS)
        await stack.enter_async_context(bot)
        app = page.create_app(services, store.redis, work_dir / "clips")
        try:
            url = await stack.enter_async_context(serve(app, port=port))
        except OSError as error:
            raise CannotStart(f"Port {port} can't be used: {error.strerror}") from error
        try:
            yield url + app.state.path
        finally:
            app.state.feed.close()
            # Held requests would keep both sides from ending.
            services.nemo.faults.clear()
            services.telegram.journal.switch_off()


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        taken = any(directory.iterdir())
    except OSError as error:
        raise CannotStart(f"{directory}: {error.strerror}") from error
    if taken:
        raise CannotStart(f"{directory} is not empty: each sandbox needs a new directory")


def _stop_by_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
