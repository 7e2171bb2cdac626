"""The chat page's server: who may use it, what it serves, and what it tells."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from bot.jobs.model import JobKind
from bot.sandbox.botapi.client import People
from bot.sandbox.page import create_app, set_scene
from bot.sandbox.page.clips import CLIPS
from bot.sandbox.services import Services, serve_services
from bot.web.serve import serve

STATIC = Path(__file__).parents[3] / "bot/sandbox/page/static"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with serve_services(tmp_path / "services") as services:
        yield services


@pytest.fixture
async def client(services: Services, redis: Redis, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(services, redis, tmp_path / "clips")
    async with serve(app) as url, httpx.AsyncClient(base_url=url + app.state.path) as client:
        yield client
        app.state.feed.close()


async def test_nothing_is_there_without_the_key(client: httpx.AsyncClient) -> None:
    root = str(client.base_url).rsplit("/", 2)[0]

    for path in (
        "/",
        "/events",
        "/telegram/state",
        "/wrong/",
        "/wrong/telegram/state",
        "/nemo/control/settings",
    ):
        assert (await client.get(root + path)).status_code == 404
        assert (await client.post(root + path)).status_code in {404, 405}
    assert (await client.get("")).status_code == 200


async def test_another_name_for_this_machine_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("", headers={"host": "evil.example.com"})).status_code == 400


async def test_the_page_asks_nobody_else_and_runs_nothing_but_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    for file in STATIC.iterdir():
        text = file.read_text("utf-8")
        assert "innerHTML" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert (await client.get(file.name)).status_code == 200


def test_every_word_is_there_in_both_languages() -> None:
    words: dict[str, list[set[str]]] = {}
    used = set()
    for file in STATIC.glob("*.js"):
        text = file.read_text("utf-8")
        words[file.name] = [
            set(re.findall(r"\b(\w+): \"", block))
            for block in re.findall(r"^  (?:en|zh): \{$(.*?)^  \}", text, re.M | re.S)
        ]
        used |= set(re.findall(r"\bt\(\"(\w+)\"", text))
    used |= set(
        re.findall(r"data-(?:text|label|placeholder)=\"(\w+)\"", (STATIC / "index.html").read_text("utf-8"))
    )
    used |= {f"clip_{name.split('.')[0]}" for name in CLIPS}

    known = set()
    for blocks in words.values():
        assert len(blocks) in {0, 2}
        assert all(block == blocks[0] for block in blocks)
        known |= blocks[0] if blocks else set()
    assert used - known == set()


async def test_what_people_send_is_shown_or_downloaded_but_never_run(
    client: httpx.AsyncClient, services: Services, tmp_path: Path
) -> None:
    page, video = tmp_path / "page.html", tmp_path / "clip.mp4"
    page.write_text("<script>alert(1)</script>")
    CLIPS["large.mp4"].write(video)
    async with People(services.people_url, app=services.telegram_app) as people:
        ann = await people.person("Ann")
        sent = await ann.send_file("document", page, content_type="text/html")
        shown = await ann.send_file("video", video)

    html = await client.get(f"file/{sent.media['file_id']}")
    assert html.headers["content-type"] == "application/octet-stream"
    assert html.headers["content-disposition"].startswith("attachment")
    part = await client.get(f"file/{shown.media['file_id']}", headers={"range": "bytes=0-99"})
    assert (part.status_code, part.headers["content-type"], len(part.content)) == (206, "video/mp4", 100)
    for path in (
        "file/none",
        "file/..%2f..%2fpasswd",
        "clip/..%2f..%2fapp.py",
        "fonts/..%2f..%2fapp.py",
        "%2e%2e/app.py",
    ):
        assert (await client.get(path)).status_code == 404


async def test_every_clip_can_be_fetched(client: httpx.AsyncClient) -> None:
    for clip in (await client.get("clips")).json():
        assert (await client.get(f"clip/{clip['name']}")).content


async def test_the_feed_tells_all_there_is_and_then_what_happens(
    client: httpx.AsyncClient, services: Services, tmp_path: Path
) -> None:
    async with People(services.people_url, app=services.telegram_app) as people:
        await set_scene(people, tmp_path / "clips")
        async with client.stream("GET", "events") as stream:
            events = _events(stream)
            told = [await anext(events) for _ in range(6)]
            assert [name for name, _ in told] == ["hello", "chats", *["message"] * 4]
            chats = {chat.get("title") or chat["first_name"]: chat for chat in told[1][1]}
            assert list(chats) == ["Ann", "小明", "Film club", "Studio", "Bo's clips"]
            assert [topic["name"] for topic in chats["Studio"]["topics"]] == ["General", "Trailer", "Music"]
            assert [person["name"] for person in chats["Film club"]["people"]] == ["Ann", "Bo", "小明"]
            assert (await anext(events))[0] == "panel"

            said = await client.post(
                "telegram/write", json={"chat": chats["Ann"]["id"], "user": chats["Ann"]["id"], "text": "hi"}
            )
            name, message = await anext(events)
            assert (name, message["text"], message["versions"]) == ("message", "hi", 1)
            gone = {"chat": chats["Ann"]["id"], "message": said.json()["message_id"]}
            await client.post("telegram/delete", json=gone)
            assert (await anext(events))[1]["deleted"] is True

            await client.patch("nemo/control/settings", json={"render_fails": -1})
            name, panel = await anext(events)
            assert (name, panel["settings"]["render_fails"]) == ("panel", -1)


async def test_the_narrowest_commands_are_listed_in_the_persons_language(
    client: httpx.AsyncClient, services: Services
) -> None:
    async def offer(name: str, scope: str, language: str = "") -> None:
        body = {
            "commands": [{"command": name, "description": "any"}],
            "scope": {"type": scope},
            "language_code": language,
        }
        url = f"{services.telegram_url}/bot{services.token}/setMyCommands"
        assert (await client.post(url, json=body)).status_code == 200

    async with People(services.people_url, app=services.telegram_app) as people:
        ann, ming = await people.person("Ann"), await people.person("小明", language_code="zh-hans")
        await ann.open()
        await ming.open()
        await people.new_chat("supergroup", "Club", ann)
        await people.new_chat("channel", "Elsewhere", ann, bot="")
    await offer("any", "default")
    await offer("alone", "all_private_chats")
    await offer("alone_zh", "all_private_chats", "zh")

    async with client.stream("GET", "events") as stream:
        events = _events(stream)
        chats = next(value for name, value in [await anext(events) for _ in range(2)] if name == "chats")

    listed = {chat.get("title") or chat["first_name"]: chat["commands"] for chat in chats}
    assert {name: [one["command"] for one in commands] for name, commands in listed.items()} == {
        "Ann": ["alone"],
        "小明": ["alone_zh"],
        "Club": ["any"],
        "Elsewhere": [],
    }


async def _events(stream: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in stream.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


READ_ON = {
    "text": ("ground", "side", "theirs", "mine", "chosen"),
    "faint": ("ground", "side", "theirs", "chosen"),
    "accent": ("ground", "side", "theirs", "mine"),
    "on-accent": ("accent",),
    "good": ("side",),
    "bad": ("side",),
}
"""What is written in each colour, and on which others it stands."""

LEAST_CONTRAST = 4.5
"""Of the Web Content Accessibility Guidelines, level AA."""


def themes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", (STATIC / "page.css").read_text("utf-8"), re.DOTALL)
    return {
        name: dict(re.findall(r"--([\w-]+): (#\w{6});", css))
        for name, css in (("light", light), ("dark", dark))
    }


def brightness(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("written", READ_ON)
def test_everything_can_be_read(theme: str, written: str) -> None:
    colours = themes()[theme]
    for ground in READ_ON[written]:
        low, high = sorted(brightness(colours[name]) for name in (written, ground))
        assert (high + 0.05) / (low + 0.05) >= LEAST_CONTRAST, ground


def test_the_panel_has_a_word_for_every_kind_of_job() -> None:
    panel = (STATIC / "panel.js").read_text("utf-8")
    assert {kind for kind in JobKind if panel.count(f" k_{kind}:") != 2} == set()
