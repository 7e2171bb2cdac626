import httpx
import pytest

from bot.sandbox.nemovideo.client import NemoControl
from tests.sandbox.nemovideo.caller import SESSIONS, Caller

TOKEN = "/api/auth/anonymous-token"
WEEK_S = 7 * 86_400


async def anonymous(url: str, client_id: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        return await http.post(TOKEN, headers={"X-Client-Id": client_id})


async def test_a_client_has_one_token_for_a_week(url: str, nemo: NemoControl) -> None:
    first = (await anonymous(url, "c-1")).json()
    assert first["code"] == 0
    data = first["data"]
    assert data["token"].startswith("nmv_usr_")
    assert data["user_id"].startswith("anon_")
    assert data["credits"] == 100
    assert data["expires_at"].endswith("Z")
    assert (await anonymous(url, "c-1")).json()["data"] == data
    assert (await anonymous(url, "c-2")).json()["data"]["user_id"] != data["user_id"]
    await nemo.move_clock(WEEK_S + 1)
    renewed = (await anonymous(url, "c-1")).json()["data"]
    assert renewed["token"] != data["token"]
    assert renewed["user_id"] == data["user_id"]


async def test_no_client_id_is_400(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        assert (await http.post(TOKEN)).status_code == 400


async def test_an_address_gets_ten_tokens_a_week(url: str, nemo: NemoControl) -> None:
    answers = [await anonymous(url, f"c-{number}") for number in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].json()["code"] == 429
    assert (await anonymous(url, "c-3")).status_code == 200, "a known client costs none"
    await nemo.set(anonymous_per_address=None)
    assert (await anonymous(url, "c-11")).status_code == 200
    await nemo.set(anonymous_per_address=10)
    await nemo.move_clock(WEEK_S + 1)
    assert (await anonymous(url, "c-12")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", SESSIONS),
        ("POST", "/api/auth/claim-token"),
        ("POST", "/run_sse"),
        ("POST", "/api/upload-video/nemo_agent/me/s"),
        ("GET", "/api/credits/balance/simple"),
        ("GET", "/api/state/nemo_agent/me/s/latest"),
        ("POST", "/api/render/proxy/lambda"),
        ("GET", "/api/render/proxy/lambda/x"),
        ("POST", "/api/render/proxy/lambda/x/cancel"),
        ("GET", "/api/render/proxy/x/download"),
    ],
)
async def test_a_bad_token_is_1001_under_401(url: str, method: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        for header in ("", "Bearer", "Bearer nmv_usr_nobody", "Basic abc"):
            answer = await http.request(method, path, headers={"Authorization": header}, json={})
            assert (answer.status_code, answer.json()["code"]) == (401, 1001)


@pytest.mark.parametrize(("status", "code"), [(200, 1001), (401, 1010), (200, 1011)])
async def test_a_bad_token_in_the_other_shapes(
    caller: Caller, nemo: NemoControl, status: int, code: int
) -> None:
    await nemo.set(auth_status=status, auth_code=code)
    (account,) = await nemo.accounts()
    await nemo.change_account(account.user_id, expired=True)
    answer = await caller.http.get("/api/credits/balance/simple")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_anonymous_token_may_lack_the_export(url: str, nemo: NemoControl) -> None:
    await nemo.set(anonymous_may_render=False)
    async with Caller(url, (await anonymous(url, "c-1")).json()["data"]["token"]) as caller:
        await caller.open_session()
        answer = await caller.start_render()
    assert (answer.status_code, answer.json()["code"]) == (402, 402)


async def test_a_claim_link_is_made_for_one_s_own_session(caller: Caller) -> None:
    body = {"task_id": caller.task_id, "session_id": caller.session_id}
    data = (await caller.http.post("/api/auth/claim-token", json=body)).json()["data"]
    assert data["claim_token"].startswith("clm_")
    assert data["expires_in"] == WEEK_S
    other = await caller.http.post("/api/auth/claim-token", json={**body, "session_id": "sess_x"})
    assert other.json()["code"] == 1002


async def test_a_session_keeps_its_language_and_is_one_s_own(
    caller: Caller, nemo: NemoControl, url: str
) -> None:
    await caller.open_session("zh-CN")
    assert [session.language for session in await nemo.sessions()] == ["en", "zh-CN"]
    stranger = await nemo.add_account()
    async with Caller(url, stranger.token) as other:
        answer = await other.http.get(f"/api/state/nemo_agent/me/{caller.session_id}/latest")
    assert answer.json()["code"] == 1002


async def test_a_dropped_session_is_1002_or_adk_s_404(caller: Caller, nemo: NemoControl) -> None:
    await nemo.drop_session(caller.session_id)
    body = caller.message("hi")
    assert (await caller.http.post("/run_sse", json=body)).json()["code"] == 1002
    await nemo.set(session_missing="adk")
    answer = await caller.http.post("/run_sse", json=body)
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"Session not found: {caller.session_id}"}
    assert await nemo.messages() == []


async def test_a_clip_costs_100_and_an_editing_session_50_once(caller: Caller, nemo: NemoControl) -> None:
    await caller.say("make a 4 second clip of rain")
    assert await caller.credits() == {"available": 900, "frozen": 0, "total": 900}
    await caller.say("trim to 3 seconds")
    await caller.say('add the title "Rain"')
    await caller.say("thank you")
    assert (await caller.credits())["available"] == 850
    charges = await nemo.charges()
    assert [(charge.credits, charge.reason) for charge in charges] == [(100, "clip"), (50, "editing session")]
    assert {charge.session_id for charge in charges} == {caller.session_id}


async def test_credits_are_frozen_while_work_runs(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set(pace={"generate_s": 60})
    async with caller.http.stream("POST", "/run_sse", json=caller.message("make a clip of rain")):
        await nemo.wait("accounts", match={"frozen": 100})
        assert await caller.credits() == {"available": 900, "frozen": 100, "total": 1000}


@pytest.mark.parametrize("where", ["stream", "body"])
async def test_an_empty_account_is_2001(caller: Caller, nemo: NemoControl, where: str) -> None:
    await nemo.set(no_credits=where)
    (account,) = await nemo.accounts()
    await nemo.change_account(account.user_id, credits=99)
    answer = await caller.http.post("/run_sse", json=caller.message("make a clip of rain"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(
        "application/json" if where == "body" else "text/event-stream"
    )
    assert '"code":2001' in answer.text
    assert (await caller.credits()) == {"available": 99, "frozen": 0, "total": 99}
    assert (await caller.state())["draft"]["t"] == []


async def test_edits_that_come_with_a_clip_are_part_of_it(caller: Caller) -> None:
    await caller.say('make a 4 second clip of rain with calm music and a title "Rain"')
    assert (await caller.credits())["available"] == 900
    assert [track["tt"] for track in (await caller.state())["draft"]["t"]] == [0, 7, 1]
