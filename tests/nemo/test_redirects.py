"""Redirects of calls: followed to the service itself, so that the token goes nowhere else."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from bot.nemo import errors
from bot.nemo.client import NemoClient
from bot.nemo.events import AgentText
from bot.web.serve import serve
from tests.nemo.test_client import NO_WAIT, TOKEN, WHO, Service


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = Starlette(routes=[Route("/{path:path}", service.__call__, methods=["GET", "POST"])])
    async with serve(app) as url:
        service.url = url
        yield service


@pytest.fixture
def nemo(http: httpx.AsyncClient, service: Service) -> NemoClient:
    return NemoClient(http, service.url, retries=NO_WAIT)


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("scheme", ["", "http://127.0.0.1", "https://127.0.0.1:9"])
async def test_a_redirect_that_keeps_the_method_is_followed_to_the_service_itself(
    nemo: NemoClient, service: Service, status: int, scheme: str
) -> None:
    """As servers do that add a slash, and know neither the scheme nor the port of the proxy before them."""
    location = {"Location": f"{scheme}/run_sse/?a=1"}
    stream = Response('data: {"text": "Hi"}\n\n', media_type="text/event-stream")
    service.will_answer(Response(status_code=status, headers=location), stream)
    assert [type(event) async for event in nemo.send_message(WHO, "s", "hi")] == [AgentText]
    assert [(r.method, r.url.path, r.url.query) for r in service.requests] == [
        ("POST", "/run_sse", ""),
        ("POST", "/run_sse/", "a=1"),
    ]
    assert service.bodies[0] == service.bodies[1]
    assert service.requests[1].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_reading_call_follows_any_redirect(nemo: NemoClient, service: Service) -> None:
    moved = Response(status_code=301, headers={"Location": "/api/credits/balance/simple/"})
    service.will_answer(moved, {"data": {"available": 1}})
    assert (await nemo.get_credits(WHO)).available == 1


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_message_is_not_sent_on_by_a_redirect_that_ends_in_reading(
    nemo: NemoClient, service: Service, status: int
) -> None:
    service.will_answer(Response(status_code=status, headers={"Location": "/run_sse/"}))
    with pytest.raises(errors.ServiceError):
        _ = [event async for event in nemo.send_message(WHO, "s", "hi")]
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "location", ["https://other.example.com/run_sse", "http://[", "https://evil@other.example.com/"]
)
async def test_no_redirect_takes_the_token_elsewhere(
    nemo: NemoClient, service: Service, location: str
) -> None:
    service.will_answer(Response(status_code=307, headers={"Location": location}))
    with pytest.raises(errors.ServiceError):
        await nemo.create_session(WHO, "en")
    assert len(service.requests) == 1


async def test_redirects_in_a_circle_end(nemo: NemoClient, service: Service) -> None:
    service.will_answer(Response(status_code=307, headers={"Location": "/"}))
    with pytest.raises(errors.ServiceError):
        await nemo.create_session(WHO, "en")
    assert len(service.requests) <= 6
