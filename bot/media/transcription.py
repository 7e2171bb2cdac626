"""What a person says in a voice message, by an endpoint that speaks as OpenAI's does."""

import httpx
import structlog

log = structlog.get_logger(__name__)

MAX_SPOKEN_BYTES = 10_000_000  # of a message that is transcribed: hours of speech, held in memory
MAX_HEARD_CHARS = 2000
TIMEOUT_S = 60.0


class NotTranscribed(Exception):
    """The endpoint gave no text, for whatever reason."""


class Transcriber:
    """Turns speech into text.

    Args:
        http: Makes the requests.
        url: The endpoint's address, such as ``https://host/v1``.
        key: Its key; empty if it needs none.
        model: Its model.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, key: str, model: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/audio/transcriptions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._model = model

    async def transcribe(self, name: str, content_type: str, content: bytes) -> str:
        """Return what is said in an audio or video file.

        Raises:
            NotTranscribed: The endpoint failed, or heard nothing.
        """
        form = {"model": self._model}
        files = {"file": (name, content, content_type)}
        try:
            answer = await self._http.post(
                self._url, data=form, files=files, headers=self._headers, timeout=TIMEOUT_S
            )
            body = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            # Its message may hold the address; a body may hold anything.
            log.warning("transcription.failed", error=type(error).__name__)
            raise NotTranscribed from None
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or not (heard := " ".join(text.split())[:MAX_HEARD_CHARS]):
            log.warning("transcription.empty")
            raise NotTranscribed
        return heard
