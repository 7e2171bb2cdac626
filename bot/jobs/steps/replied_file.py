"""What a request answers to: a video of the project needs no second upload, an older one does."""

from __future__ import annotations

from dataclasses import replace

from bot.chats.chats import shown_at
from bot.jobs.model import MAX_PROMPT_CHARS
from bot.jobs.queue.album import GatheredJob
from bot.jobs.worker.runner import Attempt, JobEnded
from bot.projects.projects import Projects
from bot.words import Words


async def skip_known_files(projects: Projects, attempt: Attempt, found: GatheredJob) -> None:
    """Leave out of the job's files what the project has, and tell the agent which one the request is about.

    The project's latest video is what every request is about. An earlier one, or one of another project, is uploaded
    again; a file that lies in the project is only named.

    Raises:
        Ended: A video that would have to be uploaded again can't be.
    """
    key = attempt.job.chat
    chat = await projects.chats.get(key)
    brought = (attempt.get_value("uploaded") or {}).get("files", {})
    refusals = {part.message_id: part.refusal for part in found.parts if part.refusal is not None}
    left_out: set[str] = set()
    names: list[str] = []
    for file in attempt.job.files:
        if file.message_id is None or file.is_text:
            continue
        known = await projects.chats.find_upload(key, attempt.job.place, file.message_id)
        is_latest = chat.shown == shown_at(attempt.job.place, file.message_id)
        if is_latest and chat.shown_session_id == chat.session_id:
            left_out.add(file.file_id)
        elif file.file_id in brought:
            names += [file.name] if file.is_result else []
        elif known is not None and known.session_id == chat.session_id:
            left_out.add(file.file_id)
            names.append(known.name)
        elif file.message_id in refusals:
            raise JobEnded(refusals[file.message_id])
        elif file.is_result:
            names.append(file.name)
    files = tuple(file for file in attempt.job.files if file.file_id not in left_out)
    text = attempt.job.text
    if names and text:
        about = Words(attempt.job.language).plain("prompt.about", names=", ".join(names))
        text = f"{text[: MAX_PROMPT_CHARS - len(about) - 2]}\n\n{about}"
    attempt.job = replace(attempt.job, text=text, files=files)
