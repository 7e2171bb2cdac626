"""The answer to files that came without words: what they are, and what could be done with them."""

from collections.abc import Sequence
from dataclasses import replace

from bot.jobs.buttons import RunCaption, UseVoice
from bot.jobs.checkpoints import FILES, Uploaded, UploadedFile
from bot.jobs.messages import Button, Bytes, ListMessage, LocalizedMessage, OutgoingMessage, Seconds
from bot.jobs.model import Attachment, Job
from bot.jobs.next_steps import FileFacts, first_buttons
from bot.jobs.payloads import EditPayload
from bot.jobs.worker.attempt import Attempt
from bot.skills.cards import SkillCard

MAX_FILES = 10  # files that are listed one by one

_KINDS = {
    "video": "video", "animation": "video", "video_note": "video", "photo": "image", "audio": "audio", "voice": "audio",
}  # fmt: skip
"""By what Telegram calls them."""


async def ask_for_prompt(attempt: Attempt, card: SkillCard) -> None:
    """List what arrived, and ask what is to be done with it."""
    uploaded = (attempt.load(Uploaded, FILES) or Uploaded()).sources
    files = [file for file in attempt.job.files if not uploaded or file.file_id in uploaded]
    payload = attempt.job.payload_as(EditPayload)
    links = payload.links
    offer = (Button("button.run_caption", RunCaption(attempt.job.id)),) if payload.text_not_asked_for else ()
    if payload.is_late:
        message: OutgoingMessage = LocalizedMessage("upload.late", {"n": max(1, len(files))}, offer)
    elif (files or links) and await attempt.job_queue.questions.asking_job_id(attempt.job.chat) is not None:
        # What is written next answers that question.
        key = "upload.spoken_beside_question" if is_spoken(files) else "upload.beside_question"
        message = LocalizedMessage(key, {"n": len(files) + len(links)}, offer)
    elif files:
        message = _received_files_message([_facts(file, uploaded.get(file.file_id)) for file in files], card)
        voice = _voice_buttons(attempt.job, files)
        suggested = () if voice and files[0].kind == "voice" else message.buttons
        message = replace(message, buttons=(*offer, *voice, *suggested))
    elif links:
        message = LocalizedMessage("upload.received_links", {"n": len(links)}, offer)
    elif offer:
        message = LocalizedMessage("upload.forwarded_text", buttons=offer)
    else:
        # An answer to what the project has already, without words; or the words of a request were edited away.
        is_answer = bool((await attempt.gathered()).job.files)
        message = LocalizedMessage("upload.known" if is_answer else "edit.how")
    await attempt.responder.send("received", message)


def is_spoken(files: Sequence[Attachment]) -> bool:
    """Return whether files are what a person has said: one voice or round video message."""
    return [file.kind for file in files] in (["voice"], ["video_note"])


def _voice_buttons(job: Job, files: Sequence[Attachment]) -> tuple[Button, ...]:
    """Return what a message that a person has spoken may be meant for; it is rarely a file to edit."""
    if not is_spoken(files):
        return ()
    return (
        Button("button.voice_request", UseVoice(as_request=True, job_id=job.id)),
        Button("button.voice_audio", UseVoice(as_request=False, job_id=job.id)),
    )


def _received_files_message(files: Sequence[FileFacts], card: SkillCard) -> ListMessage:
    buttons = first_buttons(card, files)
    if len(files) == 1:
        return ListMessage(LocalizedMessage("upload.received", {"file": _file_line(files[0])}), (), buttons)
    heading = LocalizedMessage(
        "upload.received_several", {"n": len(files), "size": Bytes(sum(file.size_bytes for file in files))}
    )
    lines = tuple(
        LocalizedMessage("upload.received_line", {"file": _file_line(file)}) for file in files[:MAX_FILES]
    )
    return ListMessage(heading, lines, buttons)


def _facts(file: Attachment, uploaded: UploadedFile | None) -> FileFacts:
    """Return what NemoVideo knows of a file, or else Telegram."""
    upload_answer = uploaded or UploadedFile()
    # A made-up name means nothing to anybody.
    has_name = not file.name.startswith(f"{file.kind}_")
    return FileFacts(
        kind=_kind(file, upload_answer.kind or ""),
        # NemoVideo's name for it: the extension tells what it is.
        name=(upload_answer.name or file.name) if has_name else "",
        size_bytes=upload_answer.size_bytes or file.size or 0,
        duration_s=upload_answer.duration_s or file.duration_s,
        width=upload_answer.width or file.width,
        height=upload_answer.height or file.height,
    )


def _file_line(file: FileFacts) -> LocalizedMessage:
    line = LocalizedMessage(f"file.{file.kind}", {"size": Bytes(file.size_bytes)})
    if file.kind != "image" and file.duration_s:
        line = LocalizedMessage(f"file.{file.kind}_long", {"duration": Seconds(file.duration_s)})
    return LocalizedMessage("file.named", {"name": file.name, "facts": line}) if file.name else line


def _kind(file: Attachment, content_type: str) -> str:
    for kind in ("video", "image", "audio"):
        if content_type.startswith(kind) or (not content_type and file.content_type.startswith(kind)):
            return kind
    return _KINDS.get(file.kind, "video")
