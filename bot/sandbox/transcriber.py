"""A stand-in of an OpenAI-compatible endpoint that turns speech into text: it hears what its script says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

KEY = "sandbox-transcribe-key"


@dataclass
class Spoken:
    """What the endpoint hears, one after another, and what it was sent."""

    texts: list[str]
    files: list[tuple[str, int]] = field(default_factory=list)  # names and bytes


def create_app(texts: Sequence[str]) -> Starlette:
    """Create the endpoint; without texts left it fails as an overloaded one does."""
    spoken = Spoken(list(texts))

    async def transcribe(request: Request) -> JSONResponse:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "Incorrect API key provided.", "invalid_api_key")
        async with request.form() as form:
            file, model = form.get("file"), form.get("model")
            if not model:
                return _error(400, "you must provide a model parameter", None)
            if file is None or isinstance(file, str):
                return _error(400, "file: field required", None)
            spoken.files.append((file.filename or "", len(await file.read())))
        if not spoken.texts:
            return _error(503, "The engine is currently overloaded, please try again later.", None)
        return JSONResponse({"text": spoken.texts.pop(0)})

    app = Starlette(routes=[Route("/v1/audio/transcriptions", transcribe, methods=["POST"])])
    app.state.spoken = spoken
    return app


def _error(status: int, message: str, code: str | None) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return JSONResponse({"error": error}, status)
