"""Transcribe: the request is what a person says in a voice message."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from bot.jobs.buttons import EditHeard, Export, NewProject, ShowCredits, ShowSettings
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Button, DoneFraction, LocalizedMessage, Progress
from bot.jobs.model import Attachment, JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.ports import FileGone, FileTooLarge
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.media.errors import AudioTooLong, FileTypeUnsupported
from bot.media.transcription import MAX_SPOKEN_BYTES, NotTranscribed, Transcriber
from bot.words.phrases import PhraseAction, action_for, command_for, says_nothing, small_talk

PAUSE_S = 8.0
"""How long the text is shown before it is sent: enough to read a sentence or two and to press a button."""


_BUTTONS = {
    PhraseAction.EXPORT: Button("button.export", Export()),
    PhraseAction.CREDITS: Button("button.credits", ShowCredits()),
    PhraseAction.NEW: Button("button.new_project", NewProject()),
    PhraseAction.SETTINGS: Button("button.settings", ShowSettings()),
}

_FOR_AGENT = (PhraseAction.VARY_MUSIC, PhraseAction.VARY_TITLE, PhraseAction.VARY_FORMAT)


class Heard(Checkpoint):
    """Saved when the message was transcribed.

    Args:
        text: What was said; empty if transcription failed, so that the agent has to listen itself.
    """

    name = "heard"
    text: str = ""


class Transcribe:
    """Show what was said, and let the job go on with that after a moment, unless the agent isn't needed for it."""

    name = "transcribe"

    def __init__(self, transcriber: Transcriber | None) -> None:
        self._transcriber = transcriber

    async def __call__(self, attempt: Attempt) -> None:
        payload = attempt.job.payload_as(EditPayload)
        if self._transcriber is None or not payload.voice_job_id:
            return
        spoken = await attempt.job_queue.find(attempt.job.chat, payload.voice_job_id)
        heard = await transcribe_first(attempt, self._transcriber, spoken.job.files if spoken else ())
        if heard.text and is_for_bot(heard.text):
            button = _button_for(heard.text)
            key = "voice.no_request" if button is None else "voice.command"
            buttons = () if button is None else (button,)
            raise JobEnded(LocalizedMessage(key, {"text": heard.text}, buttons), JobState.DONE)
        if heard.text:
            edit = Button("button.edit_heard", EditHeard(attempt.job.id))
            message = LocalizedMessage("voice.heard", {"text": heard.text}, (edit,), quiet=True)
            await attempt.responder.send("heard", message)
            await attempt.clock.sleep(PAUSE_S)
            _, gap, rest = attempt.job.prompt.partition("\n\n")  # Which file it is about, and the like.
            attempt.job = replace(attempt.job, prompt=f"{heard.text}{gap}{rest}")


def _button_for(words: str) -> Button | None:
    """Return the button that does what spoken words say; ``None`` if there is none."""
    action = action_for(words)
    return None if action is None else _BUTTONS.get(action)


def is_for_bot(words: str) -> bool:
    """Return whether spoken words are not for the agent: a command, nothing, or thanks, also heard in silence."""
    action = action_for(words)
    return (
        says_nothing(words)
        or small_talk(words) is not None
        or command_for(words) is not None
        or (action is not None and action not in _FOR_AGENT)
    )


async def transcribe_first(attempt: Attempt, transcriber: Transcriber, files: Sequence[Attachment]) -> Heard:
    """Return what is said in the first of these files; saved, so that another attempt does not transcribe it again."""
    heard = attempt.load(Heard)
    if heard is None:
        attempt.responder.report_progress(Progress("progress.listen", fraction=DoneFraction.CONNECTED))
        heard = Heard()
        with contextlib.suppress(NotTranscribed, FileGone, FileTooLarge, FileTypeUnsupported, AudioTooLong):
            if files:
                async with attempt.responder.open_file(files[0]) as file:
                    content = await file.read(MAX_SPOKEN_BYTES)
                    heard = Heard(text=await transcriber.transcribe(file.name, file.content_type, content))
        await attempt.save(heard)
    return heard
