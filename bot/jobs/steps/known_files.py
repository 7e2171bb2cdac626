"""Files of a request that the project has already: the answered video needs no second upload, an older one does."""

from dataclasses import replace

from bot.jobs.checkpoints import FILES, Uploaded
from bot.jobs.model import MAX_PROMPT_CHARS, Job
from bot.jobs.payloads import EditPayload
from bot.jobs.queue.album import GatheredJob
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import Projects
from bot.words import Words


async def without_known_files(projects: Projects, attempt: Attempt, gathered: GatheredJob) -> Job:
    """Return the job without the files that the project has, and with a word to the agent which file it is about.

    The project's latest video is what every request is about. An earlier one, or one of another project, is uploaded
    again; a file that the project has is only named.

    Raises:
        JobEnded: A video that would have to be uploaded again can't be.
    """
    job = attempt.job
    chat = await projects.chats.get_for(job)
    uploaded = attempt.load(Uploaded, FILES) or Uploaded()
    refusals = {part.message_id: part.refusal for part in gathered.parts if part.refusal is not None}
    left_out: set[str] = set()
    names: list[str] = []
    supporting = job.payload_as(EditPayload).supporting_file_ids
    for file in job.files:
        if file.message_id is None:
            continue
        known = await projects.chats.find_project_file(job.chat, job.telegram_chat_id, file.message_id)
        is_latest = chat.is_latest_result(job.telegram_chat_id, file.message_id)
        if is_latest and chat.result_session_id == chat.session_id:
            left_out.add(file.file_id)
        elif file.file_id in uploaded.sources:
            names += [file.name] if file.is_result else []
        elif known is not None and (known.session_id, known.unique_id) == (chat.session_id, file.unique_id):
            left_out.add(file.file_id)
            names += [] if file.file_id in supporting else [known.name]
        elif file.message_id in refusals:
            raise JobEnded(refusals[file.message_id])
        elif file.is_result:
            names.append(file.name)
    text = job.prompt
    if names and text:
        about = Words(job.language).plain("prompt.about", names=", ".join(names))
        text = f"{text[: MAX_PROMPT_CHARS - len(about) - 2]}\n\n{about}"
    files = tuple(file for file in job.files if file.file_id not in left_out)
    return replace(job, prompt=text, files=files)
