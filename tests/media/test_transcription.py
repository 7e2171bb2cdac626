"""Transcription, over HTTP against the stand-in of an OpenAI-compatible endpoint."""

import httpx
import pytest

from bot.media.transcription import MAX_HEARD_CHARS, NotTranscribed, Transcriber
from bot.runtime.http import new_client
from bot.sandbox.transcriber import KEY, create_app
from bot.web.serve import serve


async def test_what_is_said_is_one_line_of_text() -> None:
    app = create_app(["  Trim it\n to 2 seconds. ", "x" * (MAX_HEARD_CHARS + 5)])
    async with serve(app) as url, new_client() as http:
        transcriber = Transcriber(http, f"{url}/v1/", KEY, "whisper-1")
        assert await transcriber.transcribe("voice.m4a", "audio/mp4", b"sound") == "Trim it to 2 seconds."
        assert len(await transcriber.transcribe("voice.m4a", "audio/mp4", b"sound")) == MAX_HEARD_CHARS
    assert app.state.spoken.files == [("voice.m4a", 5)] * 2


@pytest.mark.parametrize(
    ("texts", "key", "model"),
    [(["hello"], "wrong", "whisper-1"), (["hello"], "", "whisper-1"), (["hello"], KEY, ""), ([], KEY, "m")],
)
async def test_an_endpoint_that_refuses_gives_no_text(texts: list[str], key: str, model: str) -> None:
    async with serve(create_app(texts)) as url, new_client() as http:
        with pytest.raises(NotTranscribed):
            await Transcriber(http, f"{url}/v1", key, model).transcribe("voice.m4a", "audio/mp4", b"sound")


async def test_silence_and_an_endpoint_that_is_away_give_no_text() -> None:
    async with new_client() as http:
        async with serve(create_app([" \n"])) as url:
            transcriber = Transcriber(http, f"{url}/v1", KEY, "whisper-1")
            with pytest.raises(NotTranscribed):
                await transcriber.transcribe("voice.m4a", "audio/mp4", b"sound")
        with pytest.raises(NotTranscribed):
            await transcriber.transcribe("voice.m4a", "audio/mp4", b"sound")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"text": 7}', b"{}"])
async def test_whatever_else_an_endpoint_answers_is_no_text(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(NotTranscribed):
            await Transcriber(http, "https://ears.example.com/v1", KEY, "m").transcribe("a", "b", b"c")


@pytest.mark.parametrize(("key", "sent"), [(KEY, f"Bearer {KEY}"), ("", None)])
async def test_an_endpoint_that_needs_no_key_gets_none(key: str, sent: str | None) -> None:
    keys: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("Authorization"))
        return httpx.Response(200, json={"text": "hello"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await Transcriber(http, "http://127.0.0.1:1/v1", key, "m").transcribe("a", "b", b"c")
    assert keys == [sent]
