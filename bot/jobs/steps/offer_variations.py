"""Ask how several versions of the project should differ, with the credits that they take and those left."""

from bot.jobs.buttons import Export, MakeVariations, VariationAspect
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Param
from bot.jobs.model import JobState
from bot.jobs.payloads import VariationsPayload
from bot.jobs.steps.connect import nothing_to_export
from bot.jobs.steps.credits_use import EDIT_CREDITS, GENERATION_CREDITS
from bot.jobs.steps.service_errors import top_up_buttons
from bot.jobs.variations import VARIATIONS
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import Projects


class OfferVariations:
    """Answer with a button for each thing that the versions may differ in; nothing is made or charged yet."""

    name = "offer_variations"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        projects, job = self._projects, attempt.job
        chat = await projects.chats.get(job.chat)
        if chat.session_id is None:
            raise JobEnded(nothing_to_export(attempt), JobState.DONE)
        state = await projects.get_state(job, attempt.lost.end)
        credits_ = await projects.get_credits(job, attempt.lost.report)
        if state.draft is None or not state.draft.is_ready:
            raise JobEnded(nothing_to_export(attempt), JobState.DONE)
        chosen = job.payload_as(VariationsPayload).aspect
        aspects = list(VariationAspect) if chosen is None else [chosen]
        # A new format of a generated video is a new generation.
        is_generated = bool(state.generated_media) and not state.video_infos
        only_generates = is_generated and aspects == [VariationAspect.FORMAT]
        needed = VARIATIONS * (GENERATION_CREDITS if only_generates else EDIT_CREDITS)
        buttons = tuple(
            Button(f"button.vary_{aspect}", MakeVariations(aspect), style="success" if chosen else "")
            for aspect in aspects
        )
        params: dict[str, Param] = {"n": VARIATIONS, "needed": needed}
        key = "variations.offer"
        # Not everyone in a group may see a balance.
        if job.chat.is_private and credits_.available is not None:
            key, params = "variations.offer_of", {**params, "available": round(credits_.available)}
            if credits_.available < needed:
                buttons += await top_up_buttons(projects, chat)
        lines: tuple[LocalizedMessage, ...] = ()
        if is_generated and VariationAspect.FORMAT in aspects:
            lines = (
                LocalizedMessage("variations.format_price", {"needed": VARIATIONS * GENERATION_CREDITS}),
            )
        if chat.lacks_export(attempt.clock.now()):
            lines += (LocalizedMessage("variations.lacks_export"),)
            buttons += (Button("button.export", Export()),)
        await attempt.responder.send("offer", ListMessage(LocalizedMessage(key, params), lines, buttons))
