"""A turn of the agent that comes as one JSON document in place of a stream."""

import httpx

from bot.nemo import lenient_json as read
from bot.nemo.errors import Call, ServiceError, UnexpectedAnswer, error_for
from bot.nemo.events import Event, Unknown, read_event
from bot.nemo.wire import check_answer, read_body


async def read_whole_turn(call: Call, response: httpx.Response, token: str) -> tuple[Event, ...]:
    """Read the events of a turn.

    Args:
        call: The request.
        response: Its answer.
        token: The account's, which no error may tell.

    Raises:
        UnexpectedAnswer: It is no JSON.
        ServiceError: The message was refused, as its status, a code or its words say.
    """
    content = await read_body(call, response)
    payload = await check_answer(call, response, content, token, empty_ok=True)
    words = content.decode("utf-8-sig", "replace").strip()
    if payload is None and words and not read.parse_several(words):
        raise UnexpectedAnswer(call, "no JSON", status=response.status_code)
    events = read_event(words)
    if all(isinstance(event, Unknown) for event in events):
        # A refusal may come with the status of a success, and without a field that says so.
        refusal = error_for(call, status=response.status_code, code=None, message="", payload=payload)
        if type(refusal) is not ServiceError:
            raise refusal
    return events
