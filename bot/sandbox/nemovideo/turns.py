"""The agent's turn for a message, which runs to its end even without a client."""

import asyncio
import base64
import copy
import itertools
import re
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator
from pathlib import PurePath
from typing import Any

from bot.sandbox import samples
from bot.sandbox.nemovideo import agent, drafts, scripts
from bot.sandbox.nemovideo.accounts import CLIP_CREDITS, EDITING_SESSION_CREDITS, Account, NoCreditsError
from bot.sandbox.nemovideo.media import CONTENT_TYPES, Media, Served
from bot.sandbox.nemovideo.prompts import AddBrand, Generate, Music, Prompt, Ratio, Restore, Undo, parse
from bot.sandbox.nemovideo.sessions import Message, Session
from bot.sandbox.nemovideo.stream import KEEPALIVES, Events, encode
from bot.sandbox.nemovideo.world import World

_CANVAS = (640, 360)
_ABOUT = re.compile(r"\(This is about .+\.\)|（说的是 .+。）")  # files by name, as the bot writes it


class AgentTurn:
    """The work and the answer for one message.

    Args:
        world: The service's state.
        account: The account to charge.
        session: The session with the draft.
        message: The message.
        base_url: This server's base URL, for media.
    """

    def __init__(
        self, world: World, account: Account, session: Session, message: Message, base_url: str
    ) -> None:
        self._world, self._account, self._session = world, account, session
        self._message, self._base_url = message, base_url
        self._events = Events(world.settings.stream_shape, world.now().timestamp())
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._keepalives = itertools.cycle(KEEPALIVES)
        self._quiet = False
        self.cut = False
        self._script = world.script_for(session.id)

    @property
    def scripted(self) -> bool:
        """Return whether a script answers instead of the agent."""
        return self._script is not None

    def cost_now(self) -> int:
        """Return the minimum price of the message's prompts, before anything is done."""
        return max(self._prices(parse(self._message.text)), default=0)

    async def run(self) -> None:
        """Run the script or the agent to the end."""
        try:
            for step in self._script if self._script is not None else [{"agent": True}]:
                await self._step(step)
        except Exception as error:  # an ADK server reports whatever its agent raised
            details = {"error_type": type(error).__name__, "error_message": str(error)}
            self._send(encode({"error": f"{type(error).__name__}: {error}", "error_details": details}))
        finally:
            self._message.ended_at = self._world.now()
            self._chunks.put_nowait(None)
            self._world.signal.notify()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what the client gets, with keep-alives, until the turn ends or closes the connection."""
        while True:
            getting = asyncio.ensure_future(self._chunks.get())
            try:
                while not getting.done():
                    waiting = asyncio.ensure_future(
                        self._world.clock.sleep(self._world.settings.pace.keepalive_s)
                    )
                    try:
                        await asyncio.wait({getting, waiting}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        waiting.cancel()
                    if not getting.done() and not self._quiet:
                        yield next(self._keepalives).encode()
            finally:
                getting.cancel()
            chunk = getting.result()
            if chunk is None:
                return
            yield chunk

    def _send(self, *events: str) -> None:
        if not self.cut:
            for event in events:
                self._chunks.put_nowait(event.encode())

    async def _step(self, step: scripts.Step) -> None:
        ((name, value),) = step.items()
        match name:
            case "shape":
                self._events = Events(value, self._world.now().timestamp())
            case "draft":
                self._session.draft = value
                self._world.signal.notify()
            case "hold":
                await self._world.faults.wait_at(self._world.faults.find_hold(value, "work"))
            case "cut":
                self.cut = True
                self._chunks.put_nowait(None)
            case "agent":
                await self._answer(self._message.text)
            case "edit":
                await self._answer(value, quiet=True)
            case "extra":
                await self._answer(value, quiet=True, free=True)
            case "wait_s" | "keepalive_s":
                self._quiet = name == "wait_s"
                await self._world.clock.sleep(float("inf") if value is None else value)
                self._quiet = False
            case _:
                self._send_step(name, value)

    def _send_step(self, name: str, value: Any) -> None:
        match name:
            case "raw":
                self._send(value)
            case "raw_base64":
                if not self.cut:
                    self._chunks.put_nowait(base64.b64decode(value))
            case "json":
                self._send(encode(value))
            case "text":
                self._send(*self._events.text(value))
            case "thought":
                self._send(*self._events.thought(value))
            case "tool":
                self._send(*self._events.tool(value["name"], value["args"], value["result"]))
            case "ask":
                self._send(*self._events.ask(value))
            case "confirm":
                self._send(*self._events.confirm(value["tool"], value.get("hint", "")))
            case "file":
                self._send(*self._file(**value))
            case "error_event":
                self._send(self._events.error_event(value["code"], value["message"]))
            case _:
                raise ValueError(f"unknown step {name!r}")

    def _file(self, name: str, content_base64: str = "", *, link: bool = False) -> Iterator[str]:
        content_type = CONTENT_TYPES.get(PurePath(name).suffix[1:].lower(), "application/octet-stream")
        path = self._world.folder / "made" / uuid.uuid4().hex / PurePath(name).name
        path.parent.mkdir(parents=True)
        if content_base64:
            path.write_bytes(base64.b64decode(content_base64))
        else:
            samples.make_photo(path)
        if not link:
            return self._events.file(name, content_type, content=path.read_bytes())
        url = self._world.media.add(self._base_url, Served(path.name, path))
        return self._events.file(name, content_type, url=url)

    async def _answer(self, text: str, *, quiet: bool = False, free: bool = False) -> None:
        """Run the agent on a message, or on the text of a script."""
        prompts = parse(text)
        for prompt in prompts:
            if isinstance(prompt, AddBrand):
                self._session.find_upload(prompt.file)
        if (about := _ABOUT.search(text)) is not None:
            self._session.turn_to(about.group())
        chinese = agent.is_chinese(text, self._session.language)
        shown = _nothing if quiet else self._send
        pace = self._world.settings.pace
        creates = any(isinstance(prompt, Generate | Music) for prompt in prompts)
        has_clips = drafts.is_ready(self._session.draft) or bool(self._session.unplaced)
        if not prompts or not (creates or has_clips):
            await self._world.clock.sleep(pace.text_s)
            talk = agent.nothing_there if prompts else None
            said = talk(chinese) if talk is not None else agent.small_talk(self._session, text, chinese)
            shown(*self._events.text(said, last=True))
            return
        shown(*self._events.thought("Working out what to change"))
        await self._world.faults.wait_at(self._world.faults.find_hold("message", "work"))
        if Undo() not in prompts:
            self._session.earlier.append(copy.deepcopy(self._session.draft))
        elif len(prompts) > 1:  # What it goes back to is the draft before this turn's other changes.
            self._session.earlier += copy.deepcopy(self._session.earlier[-1:])
        done = []
        prices = [0] * len(prompts) if free else self._prices(prompts)
        for prompt, price in zip(prompts, prices, strict=True):
            try:
                one = await self._carry_out(prompt, price)
            except NoCreditsError as error:
                self._send(encode({"code": 2001, "message": f"Insufficient credits: {error}", "data": None}))
                return
            shown(*self._events.tool(one.tool, one.args, {"status": "success"}))
            shown(*self._events.state({"draft": self._session.draft}))
            done.append(one.said_zh if chinese else one.said)
        shown(*self._events.text(("" if chinese else " ").join(done), last=True))

    async def _carry_out(self, prompt: Prompt, price: int) -> agent.AppliedPrompt:
        accounts, session, pace = self._world.accounts, self._session, self._world.settings.pace
        held = accounts.freeze(self._account, price)
        try:
            await self._world.clock.sleep(pace.generate_s if isinstance(prompt, Generate) else pace.edit_s)
            if isinstance(prompt, Undo):
                done = agent.undo(session)
            elif isinstance(prompt, Restore):
                done = agent.restore(session, prompt.tracks)
            else:
                clip = self._clip(prompt) if isinstance(prompt, Generate) else None
                done = agent.carry_out(session, prompt, clip)
        except BaseException:
            accounts.release(held)
            raise
        generates = price == CLIP_CREDITS
        session.paid = session.paid or (price > 0 and not generates)
        accounts.charge(held, session.id, "clip" if generates else "editing session")
        self._world.signal.notify()
        return done

    def _prices(self, prompts: list[Prompt]) -> list[int]:
        """Return the price of each prompt of a message; edits are free beside a generated clip.

        A new aspect ratio of a generated video is a new generation.
        """
        is_generated = bool(self._session.generated) and not self._session.uploads
        generates = (Generate, Ratio) if is_generated else Generate
        if any(isinstance(prompt, generates) for prompt in prompts):
            return [CLIP_CREDITS if isinstance(prompt, generates) else 0 for prompt in prompts]
        first = 0 if self._session.paid else EDITING_SESSION_CREDITS
        return [first if index == 0 else 0 for index in range(len(prompts))]

    def _clip(self, prompt: Generate) -> Media:
        served = Served("clip.mp4", generated=(prompt.prompt, prompt.seconds))
        url = self._world.media.add(self._base_url, served)
        return Media("video", prompt.prompt, url, prompt.seconds, *_CANVAS)


def words_of(new_message: Any) -> str:
    """Return the text of all parts of a message.

    Args:
        new_message: The ``new_message`` of the call.

    Raises:
        ValueError: The message has no text.
    """
    parts: Iterable[Any] = new_message.get("parts", []) if isinstance(new_message, dict) else []
    texts = [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    if not texts:
        raise ValueError("new_message.parts has no text")
    return "\n".join(texts)


def _nothing(*_: str) -> None:
    """Send no event."""
