"""The pages in the place of NemoVideo's web site, where the bot's links lead."""

from collections.abc import AsyncIterator

import httpx
import pytest

from bot.jobs.steps.service_errors import BILLING_PATH
from bot.nemo.answers import ClaimToken, claim_link, project_link, register_link
from bot.nemo.wire import Attribution
from bot.sandbox.nemovideo.client import NemoControl
from tests.sandbox.nemovideo.caller import Caller

CARD = Attribution("card", "1")


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as browser:  # noqa: S501 - http only
        yield browser


async def test_the_browser_link_shows_the_project_and_its_latest_video(
    url: str, nemo: NemoControl, caller: Caller, browser: httpx.AsyncClient
) -> None:
    await caller.say("make a 1 second video of a <b>cat</b>")
    ids = {"task_id": caller.task_id, "session_id": caller.session_id}
    claim = (await caller.http.post("/api/auth/claim-token", json=ids)).json()["data"]["claim_token"]
    (session,) = await nemo.sessions()
    for link in (
        claim_link(url, ClaimToken(claim), CARD),
        project_link(url, session.task_id, session.id, CARD),
    ):
        page = await browser.get(link)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "1 tracks, 1 clips" in page.text
        assert "script" not in page.headers["content-security-policy"]
    chinese = await browser.get(
        claim_link(url, ClaimToken(claim), CARD), headers={"accept-language": "zh-CN,zh"}
    )
    assert "你的项目" in chinese.text
    assert (await browser.get(claim_link(url, ClaimToken("clm_x"), CARD))).status_code == 404


async def test_a_guest_registers_and_gets_a_token_and_credits(
    url: str, nemo: NemoControl, browser: httpx.AsyncClient
) -> None:
    api = await browser.post(f"{url}/api/auth/anonymous-token", headers={"x-client-id": "c"}, json={})
    (guest,) = await nemo.accounts()
    assert api.json()["data"]["token"] == guest.token
    link = register_link(url, guest.user_id)
    assert guest.token not in (await browser.get(link)).text
    page = await browser.post(link)
    assert f"/login {guest.token}" in page.text
    (registered,) = await nemo.accounts()
    assert (registered.plan, registered.available) == ("pro", guest.available + 1000)
    again = await browser.post(link)
    assert again.status_code == 200
    assert (await nemo.accounts())[0].available == registered.available
    assert (await browser.get(register_link(url, "anon_x"))).status_code == 404


async def test_credits_and_a_plan_are_added_on_the_billing_page(
    url: str, nemo: NemoControl, browser: httpx.AsyncClient
) -> None:
    page = f"{url}{BILLING_PATH}"
    assert "Nobody is registered" in (await browser.get(page)).text
    account = await nemo.add_account(credits=5, plan="free", may_render=False)
    assert account.user_id in (await browser.get(page)).text
    await browser.post(page, data={"account": account.user_id})
    await browser.post(page, data={"account": "user_x"})
    (changed,) = await nemo.accounts()
    assert (changed.available, changed.may_render) == (1005, True)
