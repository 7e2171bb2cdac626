"""Other web sites reach nothing of the stand-ins, and the stand-ins nothing of the machine's networks."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bot.sandbox.botapi.client import People
from bot.sandbox.links import link_client
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.uploads import BadUploadError, fetch
from bot.sandbox.services import Services, serve_services


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with serve_services(tmp_path / "services") as services:
        yield services


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:  # noqa: S501 - http only
        yield http


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:80"},
        {"host": "127.0.0.1@evil.example"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
async def test_pages_of_other_sites_are_refused(
    services: Services, http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    method = f"{services.telegram_url}/bot{services.token}/getMe"
    for url in (method, f"{services.people_url}/control/", f"{services.nemo_control_url}/control/settings"):
        assert (await http.get(url)).status_code == 200
        assert (await http.get(url, headers=headers)).status_code == 403
        assert (await http.post(url, headers=headers)).status_code == 403


@pytest.mark.parametrize("path", ["control/", "x/control/", "control/control/", "/control/", "", "x/"])
async def test_the_control_api_is_only_where_its_key_is(
    services: Services, http: httpx.AsyncClient, path: str
) -> None:
    for url in (services.telegram_url, services.nemo_url):
        for action in ("", "settings", "add_user", "messages", "file/1"):
            assert (await http.get(f"{url}/{path}{action}")).status_code in {404, 405}
            assert (await http.post(f"{url}/{path}{action}")).status_code in {404, 405}
    async with (
        People(services.people_url, app=services.telegram_app) as people,
        NemoControl(services.nemo_control_url, services.nemo_app) as nemo,
    ):
        assert await people.person("Ann")
        assert (await nemo.settings()).render_fails == 0


async def test_each_sandbox_has_a_token_and_a_key_of_its_own(
    services: Services, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with serve_services(tmp_path / "other") as other:
        assert other.token != services.token
        assert other.key != services.key
        answer = await http.get(f"{services.telegram_url}/bot{other.token}/getMe")
        assert answer.status_code == 401


async def test_the_stand_ins_fetch_nothing_from_the_machines_networks(
    services: Services, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    async with People(services.people_url, app=services.telegram_app) as people:
        ann = await people.person("Ann")
        await ann.open()
    link = f"{services.people_url}/control/"
    method = f"{services.telegram_url}/bot{services.token}/sendDocument"
    answer = await http.post(method, json={"chat_id": ann.id, "document": link})
    assert answer.json()["description"].endswith("failed to get HTTP URL content")
    with pytest.raises(BadUploadError):
        await fetch(link, tmp_path, 1000, public_only=services.nemo.public_links_only)
    client = await link_client(public_only=True)
    for host in ("127.0.0.1", "localhost", "2130706433", "[::1]", "0x7f.1"):
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{host}:{httpx.URL(services.telegram_url).port}/")
    await client.aclose()
