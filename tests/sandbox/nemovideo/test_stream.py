import asyncio
import json
from typing import Any

import httpx
import pytest

from bot.sandbox.nemovideo import scripts
from bot.sandbox.nemovideo.client import NemoControl
from bot.sandbox.nemovideo.scripts import Script
from tests.clocks import PATIENCE_S
from tests.sandbox.nemovideo.caller import Caller, texts, values

MAKE = "make a 2 second clip of rain"


async def test_an_adk_turn_has_the_keys_of_a_real_server(caller: Caller) -> None:
    events = await caller.say(MAKE)
    thought, call, response, delta, *words = events
    assert list(thought) == [
        "content",
        "partial",
        "invocationId",
        "author",
        "actions",
        "nodeInfo",
        "id",
        "timestamp",
    ]
    assert thought["content"]["role"] == "model"
    assert thought["content"]["parts"][0]["thought"] is True
    assert list(thought["actions"]) == [
        "stateDelta",
        "artifactDelta",
        "requestedAuthConfigs",
        "requestedToolConfirmations",
    ]
    called = call["content"]["parts"][0]["functionCall"]
    assert called["name"] == "generate_video"
    assert called["args"] == {"prompt": "rain", "duration_s": 2}
    assert call["longRunningToolIds"] == [called["id"]]
    answered = response["content"]["parts"][0]["functionResponse"]
    assert answered == {"id": called["id"], "name": "generate_video", "response": {"status": "success"}}
    assert "content" not in delta
    assert delta["actions"]["stateDelta"]["draft"]["d"] == 2000
    *pieces, whole = words
    assert all(piece["partial"] for piece in pieces)
    said = "".join(piece["content"]["parts"][0]["text"] for piece in pieces)
    assert said == whole["content"]["parts"][0]["text"]
    assert whole["turnComplete"] is True
    assert len({event["invocationId"] for event in events}) == 1


async def test_the_same_turn_in_snake_case(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set(stream_shape="adk_snake")
    events = await caller.say(MAKE)
    assert events[1]["content"]["parts"][0]["function_call"]["args"]["duration_s"] == 2
    assert events[1]["long_running_tool_ids"]
    assert "function_response" in events[2]["content"]["parts"][0]
    assert events[3]["actions"]["state_delta"]["draft"]["t"]
    assert events[-1]["turn_complete"] is True
    assert not any("invocationId" in event for event in events)


async def test_the_same_turn_in_typed_events(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.shaped("typed"))
    events = await caller.say(MAKE)
    assert [event["type"] for event in events] == ["tool_call", "tool_result", "text"]
    assert events[1]["result"] == {"status": "success"}


async def test_the_same_turn_in_bare_texts(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.shaped("bare"))
    (event,) = await caller.say(MAKE)
    assert list(event) == ["text"]


@pytest.mark.parametrize(
    ("script", "event"),
    [
        (scripts.coded_error(2001, "no"), {"code": 2001, "message": "no", "data": None}),
        (scripts.coded_error(1002), {"code": 1002, "message": "refused", "data": None}),
        (scripts.typed_error("bad"), {"type": "error", "message": "bad"}),
        ([{"json": {"text": "bare"}}], {"text": "bare"}),
        ([{"json": {"something": "new"}}], {"something": "new"}),
    ],
)
async def test_an_event_can_be_anything(
    caller: Caller, nemo: NemoControl, script: Script, event: Any
) -> None:
    await nemo.script(script)
    assert await caller.say("hi") == [event]


async def test_an_adk_error_event(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.blocked())
    (event,) = await caller.say("hi")
    assert (event["errorCode"], event["errorMessage"]) == ("SAFETY", "blocked")
    assert "content" not in event


async def test_an_agent_that_fails_after_some_text(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.agent_failure())
    events = await caller.say("hi")
    assert texts(events[:1]) == ["before error"]
    assert events[1]["error_details"]["error_type"] == "RuntimeError"


async def test_raw_bytes_go_out_as_they_are(caller: Caller, nemo: NemoControl) -> None:
    chunks: list[str | bytes] = ["data: {broken", b"\xff\xfe\r\n", "\n\ndata: [1]\n\n"]
    await nemo.script(scripts.raw(*chunks, delay_s=0.01))
    answer = await caller.http.post("/run_sse", json=caller.message("hi"))
    assert answer.content == b"data: {broken\xff\xfe\r\n\n\ndata: [1]\n\n"


async def test_a_silent_edit_changes_and_says_nothing(caller: Caller, nemo: NemoControl) -> None:
    await caller.say(MAKE)
    await nemo.script(scripts.silent_edit("trim to 1 second"))
    assert values(await caller.say_raw("trim to 1 second")) == []
    assert (await caller.state())["draft"]["d"] == 1000
    assert [charge.credits for charge in await nemo.charges()] == [100, 50]


async def test_a_new_shape_of_a_generated_video_is_a_new_generation(
    caller: Caller, nemo: NemoControl
) -> None:
    await caller.say(MAKE)
    for shape in ("9:16", "1:1"):
        await caller.say(f"make it {shape}")
    assert [charge.credits for charge in await nemo.charges()] == [100, 100, 100]


async def test_two_stages_add_music_and_a_title_by_themselves(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.two_stages(MAKE))
    said = texts(await caller.say(MAKE))
    assert said[0] == "Your raw video is ready."
    assert "background music" in said[-1]
    assert [track["tt"] for track in (await caller.state())["draft"]["t"]] == [0, 1, 7]
    assert [charge.credits for charge in await nemo.charges()] == [100]


@pytest.mark.parametrize(("language", "word"), [("en", "Export button"), ("zh", "点击导出按钮")])
async def test_screen_talk(caller: Caller, nemo: NemoControl, language: str, word: str) -> None:
    await nemo.script(scripts.screen_talk(language))
    assert word in texts(await caller.say("hi"))[0]


async def test_a_trailing_temporary_issue(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.trailing_issue())
    said = texts(await caller.say(MAKE))
    assert len(said) == 2
    assert said[1].startswith("I encountered a temporary issue")


async def test_every_kind_of_keep_alive_comes_while_work_runs(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set(pace={"keepalive_s": 0.01})
    await nemo.script(scripts.keepalives(0.3, then=[{"text": "done"}]))
    raw = await caller.say_raw("hi")
    for kind in (": keep-alive\n\n", "data:\n\n", "data: heartbeat\n\n", "event: heartbeat\n\n"):
        assert kind in raw
    assert texts(values(raw)) == ["done"]


async def test_silence_is_silent(caller: Caller, nemo: NemoControl) -> None:
    # Half a second: a busy machine may pause for a few milliseconds before the silence begins.
    await nemo.set(pace={"keepalive_s": 0.5})
    await nemo.script(scripts.silence(1.5, then=[{"json": {"text": "done"}}]))
    assert await caller.say_raw("hi") == 'data: {"text":"done"}\n\n'


async def test_keep_alives_for_ever_end_with_the_client(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script(scripts.keepalives())
    async with caller.http.stream("POST", "/run_sse", json=caller.message("hi")) as answer:
        assert await anext(answer.aiter_raw())
    await nemo.wait("messages", match={"delivered": False})


@pytest.mark.parametrize(
    ("script", "d"), [(scripts.cut_before_work(), 0), (scripts.cut_after_work(MAKE), 2000)]
)
async def test_a_stream_breaks_before_or_after_the_work(
    caller: Caller, nemo: NemoControl, script: Script, d: int
) -> None:
    await nemo.script(script)
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.say(MAKE)
    assert (await caller.state())["draft"]["d"] == d
    await nemo.wait("messages", match={"delivered": False, "ended_at": "*"})


async def test_work_goes_on_after_a_broken_stream(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script([*scripts.cut_then_work(MAKE, 0.0)[:2], {"hold": "later"}, {"edit": MAKE}])
    hold = await nemo.hold("later", "work")
    with pytest.raises(httpx.RemoteProtocolError):
        await caller.say(MAKE)
    await nemo.reached(hold)
    assert (await caller.state())["draft"]["d"] == 0
    await nemo.release(hold)
    await nemo.wait("messages", match={"ended_at": "*"})
    assert (await caller.state())["draft"]["d"] == 2000


async def test_a_turn_ends_without_its_client(caller: Caller, nemo: NemoControl) -> None:
    hold = await nemo.hold("message", "work")
    async with caller.http.stream("POST", "/run_sse", json=caller.message(MAKE)):
        await nemo.reached(hold)
    await nemo.wait("messages", match={"delivered": False})
    await nemo.release(hold)
    await nemo.wait("charges")
    assert (await caller.state())["draft"]["d"] == 2000


async def test_a_message_is_kept_exactly_as_it_came(caller: Caller, nemo: NemoControl) -> None:
    text = "  two\nlines 🎬 “引号” \t"
    caller.http.headers["X-Client-Id"] = "c-1"
    await caller.say(text)
    (message,) = await nemo.messages()
    assert message.text == text
    assert message.session_id == caller.session_id
    assert message.headers["x-client-id"] == "c-1"
    assert message.headers["x-skill-source"] == "a-card"
    assert message.delivered is True


@pytest.mark.parametrize("parts", [None, {}, {"parts": []}, {"parts": [{"text": 5}]}])
async def test_a_message_without_text_is_400(caller: Caller, nemo: NemoControl, parts: Any) -> None:
    answer = await caller.http.post("/run_sse", json={**caller.message(""), "new_message": parts})
    assert answer.status_code == 400
    assert await nemo.messages() == []


async def test_a_script_waits_for_its_session(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script([{"json": {"text": "scripted"}}], session_id=caller.session_id, times=2)
    first = caller.session_id
    await caller.open_session()
    assert texts(await caller.say("hello"))
    caller.session_id = first
    assert await caller.say("a") == await caller.say("b") == [{"text": "scripted"}]
    assert texts(await caller.say("hello"))


async def test_a_draft_of_any_shape_can_be_put_in_and_rendered(caller: Caller, nemo: NemoControl) -> None:
    draft = {"t": [{"tt": 3, "sg": [{"odd": True}]}, {"tt": 0, "sg": [{"name": "x"}]}], "d": 1000, "m": {}}
    await nemo.script([{"draft": draft}])
    await caller.say("hi")
    assert (await caller.http.get(f"/api/state/nemo_agent/me/{caller.session_id}/latest")).json()["data"][
        "state"
    ]["draft"] == draft
    await caller.start_render(draft=draft)
    await nemo.wait("renders", match={"status": "completed"}, timeout_s=PATIENCE_S)


async def test_an_agent_that_raises_says_so_as_adk_does(caller: Caller, nemo: NemoControl) -> None:
    await nemo.set_draft(caller.session_id, {"t": [{"sg": [{"odd": True}]}]})
    event = (await caller.say("trim to 3 seconds"))[-1]
    assert event["error"].startswith("KeyError")
    await nemo.wait("messages", match={"ended_at": "*"})
    assert (await caller.credits())["available"] == 1000


async def test_messages_of_many_chats_run_side_by_side(caller: Caller, nemo: NemoControl) -> None:
    await nemo.script([{"hold": "words"}, {"text": "hello"}], times=20)
    hold = await nemo.hold("words", "work", times=20)
    talks = [asyncio.create_task(caller.say(f"hello {number}")) for number in range(20)]
    await nemo.wait("holds", match={"id": hold.id, "reached": 20})
    await nemo.release(hold)
    await asyncio.gather(*talks)
    assert sorted(message.text for message in await nemo.messages()) == sorted(
        f"hello {n}" for n in range(20)
    )


@pytest.mark.parametrize("body", [{"steps": [{"unknown": 1}]}, {"script": "unknown"}, {}])
async def test_a_wrong_script_is_refused(url: str, body: dict[str, Any]) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{url}/control/scripts", content=json.dumps(body))
        assert answer.status_code == 400
        assert answer.json()["error"]


async def test_a_script_can_be_named(caller: Caller, url: str) -> None:
    body = {"script": "coded_error", "args": {"code": 4001}}
    assert (await caller.http.post(f"{url}/control/scripts", json=body)).status_code == 201
    assert (await caller.say("hi"))[0]["code"] == 4001
