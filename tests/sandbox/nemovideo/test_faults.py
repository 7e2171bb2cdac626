import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.sandbox.nemovideo.app import create_app
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.requests import ENDPOINTS
from bot.sandbox.samples import make_video
from bot.web.serve import serve
from tests.clocks import PATIENCE_S, FastClock
from tests.sandbox.nemovideo.caller import Caller

CREDITS = "/api/credits/balance/simple"


@pytest.mark.parametrize("code", [1001, 1002, 1010, 1011, 2001, 4001, 4002, 400, 402, 429])
async def test_any_code_under_any_status_once(caller: Caller, nemo: NemoControl, code: int) -> None:
    statuses = [None, 400, 402, 403, 429, 500]
    body = caller.message("hello")
    for status in statuses:
        await nemo.fault("message", code=code, status=status, message="no")
        answer = await caller.http.post("/run_sse", json=body)
        assert answer.status_code == (status or 200)
        assert answer.json() == {"code": code, "message": "no", "data": None}
    assert await nemo.messages() == []
    answer = await caller.http.post("/run_sse", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert len(await nemo.messages()) == 1


def request_of(endpoint: str, caller: Caller) -> tuple[str, str, Any]:
    method, pattern = ENDPOINTS[endpoint]
    path = pattern.replace("[^/]+", "x").replace(".+", "x/y")
    return method, path, caller.message("hello") if endpoint == "message" else {}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_every_endpoint_can_fail_with_a_bare_status(
    caller: Caller, nemo: NemoControl, endpoint: str
) -> None:
    await nemo.fault(endpoint, status=503, times=2, headers={"Retry-After": "7"})
    method, path, body = request_of(endpoint, caller)
    for _ in range(2):
        answer = await caller.http.request(method, path, json=body)
        assert answer.status_code == 503
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["retry-after"] == "7"
    assert (await caller.http.request(method, path, json=body)).status_code != 503
    assert [request.status for request in await nemo.requests() if request.endpoint == endpoint][-3:-1] == [
        503,
        503,
    ]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_every_endpoint_can_hang_up(caller: Caller, nemo: NemoControl, endpoint: str) -> None:
    await nemo.fault(endpoint, drop=True)
    method, path, body = request_of(endpoint, caller)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await caller.http.request(method, path, json=body)


async def test_an_answer_is_lost_after_the_work(caller: Caller, nemo: NemoControl) -> None:
    await caller.say("make a 1 second clip of rain")
    await nemo.fault("render", drop=True, after_work=True)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await caller.start_render()
    assert (await caller.render_status())["data"]["id"] == "render_1"
    assert (await caller.start_render()).json()["success"]
    assert (await nemo.renders())[0].posts == 2


async def test_latency(caller: Caller, nemo: NemoControl) -> None:
    await nemo.fault("credits", latency_s=0.2)
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert (await caller.http.get(CREDITS)).json()["code"] == 0
    assert loop.time() - started >= 0.2


@pytest.mark.parametrize("times", [-1, 3])
async def test_a_fault_lasts_until_it_is_taken_back(caller: Caller, nemo: NemoControl, times: int) -> None:
    await nemo.fault("credits", status=500, times=times)
    assert [(await caller.http.get(CREDITS)).status_code for _ in range(3)] == [500, 500, 500]
    await nemo.clear_faults()
    assert (await caller.http.get(CREDITS)).status_code == 200


async def rendered(caller: Caller, nemo: NemoControl) -> dict[str, Any]:
    await caller.say("make a 1 second clip of rain")
    await caller.start_render()
    await nemo.wait("renders", match={"status": "completed"}, timeout_s=PATIENCE_S)
    output: dict[str, Any] = (await caller.render_status())["data"]["output"]
    return output


async def test_a_download_breaks_in_the_middle(caller: Caller, nemo: NemoControl) -> None:
    output = await rendered(caller, nemo)
    await nemo.fault("media", cut_after_bytes=1000)
    async with caller.http.stream("GET", output["url"]) as answer:
        assert int(answer.headers["content-length"]) == output["size"]
        chunks = answer.aiter_raw()
        assert len(await anext(chunks)) == 1000
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(chunks)
    assert len((await caller.http.get(output["url"])).content) == output["size"]


async def test_a_content_length_lies(caller: Caller, nemo: NemoControl) -> None:
    output = await rendered(caller, nemo)
    await nemo.fault("media", content_length=500)
    assert len((await caller.http.get(output["url"])).content) == 500
    await nemo.fault("media", content_length=output["size"] + 10)
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.http.get(output["url"])


@pytest.mark.parametrize("point", ["before", "answer", "answer_body"])
@pytest.mark.parametrize("endpoint", ["session", "render-status", "message"])
async def test_a_request_stands_still_at_a_point(
    caller: Caller, nemo: NemoControl, endpoint: str, point: Any
) -> None:
    hold = await nemo.hold(endpoint, point)
    method, path, body = request_of(endpoint, caller)
    waiting = asyncio.create_task(caller.http.request(method, path, json=body))
    await nemo.reached(hold)
    assert not waiting.done()
    assert len(await nemo.messages()) == (1 if endpoint == "message" and point != "before" else 0)
    await nemo.release(hold)
    assert (await waiting).status_code in (200, 404)
    assert (await caller.http.request(method, path, json=body)).status_code in (200, 404), (
        "only the first stands"
    )


async def test_an_upload_stands_still_after_some_bytes(
    caller: Caller, nemo: NemoControl, tmp_path: Path
) -> None:
    path = make_video(tmp_path / "a.mp4", 0.5, size_bytes=2_000_000)
    hold = await nemo.hold("upload", "body", after_bytes=500_000)
    waiting = asyncio.create_task(caller.upload(path))
    await nemo.reached(hold)
    assert await nemo.uploads() == []
    await nemo.release(hold)
    assert (await waiting)["code"] == 0


async def test_a_client_that_goes_in_the_middle_of_an_upload_leaves_nothing(
    caller: Caller, nemo: NemoControl, tmp_path: Path
) -> None:
    path = make_video(tmp_path / "a.mp4", 0.5, size_bytes=40_000_000)
    hold = await nemo.hold("upload", "body", after_bytes=500_000)
    waiting = asyncio.create_task(caller.upload(path))
    await nemo.reached(hold)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await nemo.release(hold)
    await nemo.wait("requests", match={"endpoint": "upload", "ended_at": "*"})
    assert await nemo.uploads() == []
    assert list((tmp_path / "nemo" / "uploads").iterdir()) == []


async def test_a_download_stands_still_after_some_bytes(caller: Caller, nemo: NemoControl) -> None:
    output = await rendered(caller, nemo)
    hold = await nemo.hold("media", "answer_body", after_bytes=700)
    async with caller.http.stream("GET", output["url"]) as answer:
        chunks = answer.aiter_raw()
        assert len(await anext(chunks)) == 700
        await nemo.reached(hold)
        await nemo.release(hold)
        rest = b"".join([chunk async for chunk in chunks])
    assert len(rest) == output["size"] - 700


async def test_reset_takes_everything_back(caller: Caller, nemo: NemoControl) -> None:
    first = await nemo.settings()
    await nemo.set(moov="end", pace={"text_s": 9})
    await nemo.fault("credits", status=500, times=-1)
    await nemo.hold("credits")
    await nemo.script([{"text": "x"}])
    await nemo.reset()
    assert (await nemo.settings(), await nemo.faults(), await nemo.holds()) == (first, [], [])
    assert (await caller.http.get(CREDITS)).status_code == 200


@pytest.mark.parametrize("changes", [{"nope": 1}, {"moov": "middle"}, {"pace": {"nope": 1}}])
async def test_a_wrong_setting_is_refused(nemo: NemoControl, changes: dict[str, object]) -> None:
    before = await nemo.settings()
    with pytest.raises(ValueError, match="error"):
        await nemo.set(**changes)
    assert await nemo.settings() == before


async def test_a_wrong_fault_is_refused(nemo: NemoControl) -> None:
    with pytest.raises(ValueError, match="no endpoint"):
        await nemo.fault("nope", status=500)
    with pytest.raises(ValueError, match="oops"):
        await nemo.fault("credits", oops=1)


async def test_the_log_has_headers_but_no_token(caller: Caller, nemo: NemoControl) -> None:
    await caller.http.get(CREDITS)
    (request,) = [request for request in await nemo.requests() if request.endpoint == "credits"]
    assert request.headers["authorization"] == "Bearer ***"
    assert request.headers["x-skill-source"] == "a-card"
    assert (request.method, request.path, request.status) == ("GET", CREDITS, 200)
    assert request.ended_at is not None


async def test_a_wait_that_is_in_vain_says_so(nemo: NemoControl) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 messages"):
        await nemo.wait("messages", timeout_s=0.05)


async def test_a_fast_clock_makes_it_fast(tmp_path: Path) -> None:
    app = create_app(tmp_path, clock=FastClock(1000))
    async with serve(app) as url, NemoControl(url) as nemo:
        await nemo.set(pace={"generate_s": 200})
        account = await nemo.add_account()
        async with Caller(url, account.token) as caller:
            await caller.open_session()
            await asyncio.wait_for(caller.say("make a 1 second clip of rain"), PATIENCE_S)
            assert (await caller.state())["draft"]["d"] == 1000


async def test_somebody_who_hangs_up_in_the_middle_is_no_fault_of_the_servers(
    caller: Caller, nemo: NemoControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    address = httpx.URL(url)
    _, writer = await asyncio.open_connection(address.host, address.port)
    token = caller.http.headers["Authorization"]
    head = f"POST /run_sse HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + b'{"app_name"')
    await writer.drain()
    await nemo.wait("requests", match={"endpoint": "message"})
    writer.close()
    await writer.wait_closed()
    await nemo.wait("requests", match={"endpoint": "message", "status": 499})
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]
