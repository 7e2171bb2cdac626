"""A card's example that edits a clip, pressed before there is one: ask for the clip, and keep the example for it."""

from dataclasses import replace
from datetime import timedelta

from bot.chats.chats import ChatFields, Chats
from bot.jobs.buttons import RunSaved
from bot.jobs.checkpoints import Checkpoint
from bot.jobs.messages import Button, LocalizedMessage
from bot.jobs.model import JobState
from bot.jobs.payloads import EditPayload
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.errors import NemoError
from bot.projects.projects import Projects
from bot.words.phrases import hands_over

KEPT_FOR = timedelta(hours=1)
"""How long an example waits for its clip. A file that comes later may be meant for anything."""

NOTHING_KEPT = ChatFields(saved_prompt=None, saved_prompt_until=None)


class SavedPrompt(Checkpoint):
    """Saved when a job took over the example that was kept; the next file asks again."""

    name = "kept_prompt"
    text: str = ""  # empty if it had waited too long


class AskForClip:
    """Ask for a clip instead of running an example that needs one; other jobs just go on."""

    name = "ask_for_clip"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        job, chats = attempt.job, self._projects.chats
        if not job.payload_as(EditPayload).needs_clip:
            return
        chat = await chats.get(job.chat)
        if chat.session_id is not None and await self._has_clip(attempt):
            return
        now, until = attempt.clock.now(), chat.saved_prompt_until
        kept = (chat.saved_prompt if until is not None and now < until else None) or job.prompt
        if job.prompt not in kept:
            kept = f"{kept}\n{job.prompt}"  # All that was asked for is done in one go.
        await chats.update(job.chat, ChatFields(saved_prompt=kept, saved_prompt_until=now + KEPT_FOR))
        key = "example.needs_clip" if job.chat.is_private else "example.needs_clip_in_group"
        anyway = Button("button.without_clip", RunSaved(job.id))
        raise JobEnded(LocalizedMessage(key, {"prompt": kept}, (anyway,)), JobState.DONE)

    async def _has_clip(self, attempt: Attempt) -> bool:
        try:
            state = await self._projects.get_state(attempt.job, attempt.lost.report)
        except NemoError:
            return True  # The steps that follow say what is wrong.
        return state.has_content


async def apply_pending_example(chats: Chats, attempt: Attempt) -> None:
    """Run the saved example for a job whose files came without a request; another request drops the example."""
    job, kept = attempt.job, attempt.load(SavedPrompt)
    if kept is None:
        chat = await chats.get_for(job)
        if chat.saved_prompt is None or not (job.prompt or job.files or job.payload_as(EditPayload).links):
            return
        until = chat.saved_prompt_until
        is_due = (
            (not job.prompt or hands_over(job.prompt)) and until is not None and attempt.clock.now() < until
        )
        kept = SavedPrompt(text=chat.saved_prompt if is_due else "")
        await attempt.save(kept)
        await chats.update(job.chat, NOTHING_KEPT)
    if kept.text:
        attempt.job = replace(job, prompt=kept.text)
