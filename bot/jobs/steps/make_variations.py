"""Make versions of the project that differ in one thing, and send their videos as one album."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.chats.project_list import project_mark
from bot.jobs.buttons import Export as ExportButton
from bot.jobs.buttons import RestoreVersion, Retry, ShowVersion
from bot.jobs.checkpoints import AgentAnswered, Checkpoint, Exported, KeptDraft, PendingAnswer
from bot.jobs.messages import (
    Button,
    DoneFraction,
    ListMessage,
    LocalizedMessage,
    OutgoingMessage,
    PrivateMessage,
    Progress,
    with_lines,
)
from bot.jobs.model import JobState
from bot.jobs.payloads import ExportPayload, VariationsPayload
from bot.jobs.steps.ask_agent import AskAgent
from bot.jobs.steps.connect import nothing_to_export
from bot.jobs.steps.deliver import keep_video
from bot.jobs.steps.export import CachedResultUnusable, Export, result_of
from bot.jobs.steps.save_version import SaveVersion
from bot.jobs.variations import style_name, styles, variation_prompt
from bot.jobs.versions import version_name
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.drafts import Draft
from bot.projects.projects import Projects
from bot.words import Words

BASE = "base"  # key of the draft that all versions begin with

_EXPORT = Button("button.export", ExportButton())
_STILL_GENERATING = LocalizedMessage("answer.still_generating", buttons=(_EXPORT,))


class VariationEnded(Checkpoint):
    """Saved under its number when a version has its video, or has failed."""

    name = "variation"
    is_shared = True
    mark: str = ""  # the project's
    version: int | None = None  # its number among the project's versions; ``None`` if it failed
    digest: str = ""  # of its draft
    is_kept: bool = False  # whether its draft is kept, so that it can be rendered again
    has_changed: bool = False  # whether the agent changed the draft
    credits_used: int = 0  # 0 if that is unknown, or not to be shown
    credits_left: int = 0
    failure: LocalizedMessage | None = None  # why it failed
    account: PrivateMessage | None = None  # what the account lacks, if it failed for that


class MakeVariations:
    """Take the steps of an ordinary request once for each version, and deliver all results together.

    It is one job whose parts have their own checkpoints (``Attempt.in_variation``), rather than a job for each version:
    so it is one request in the queue, with one progress message, which is cancelled and taken up again as a whole; and
    the ordinary steps don't notice that their results wait for each other.

    Args:
        projects: The chats' projects.
        ask_agent: Asks the agent for a version.
        save_version: Keeps it.
        export: Makes its video.
    """

    name = "make_variations"

    def __init__(
        self,
        projects: Projects,
        ask_agent: AskAgent,
        save_version: SaveVersion,
        export: Export,
    ) -> None:
        self._projects = projects
        self._ask_agent = ask_agent
        self._save_version = save_version
        self._export = export

    async def __call__(self, attempt: Attempt) -> None:
        base = await self._base(attempt)
        aspect = attempt.job.payload_as(VariationsPayload).aspect
        if aspect is None:
            raise AssertionError("the button named it")
        chosen = styles(aspect, base)
        names = [style_name(aspect, style) for style in chosen]
        last: OutgoingMessage | None = None
        for number, style in enumerate(chosen, 1):
            if attempt.load(VariationEnded, str(number)) is not None:
                continue
            if _is_any_unfinished(attempt, names):
                break  # What comes later would be taken for the result of the next version.
            if _refused_for(attempt, names) is not None:
                break  # The next version would be refused as well, perhaps after the agent was paid for it.
            is_changed = any(one.has_changed for one in _ended(attempt, names).values())
            words = Words(attempt.job.language)
            prompt = variation_prompt(words, aspect, style, base if is_changed else None)
            with attempt.in_variation(number, len(names), names[number - 1]):
                attempt.job = replace(attempt.job, prompt=prompt)
                try:
                    await self._ensure_same_project(attempt, names, last)
                    ended = await self._make(attempt, names)
                except JobEnded as end:
                    last, ended = end.message, _failed(end.message)
                answered = attempt.load(AgentAnswered) or AgentAnswered()
                ended = ended.changed(
                    has_changed=answered.has_changed,
                    credits_used=answered.credits_used,
                    credits_left=answered.credits_left,
                )
                await attempt.save(ended, str(number))
            await self._hold(attempt, _made(attempt, names), names)
        await self._deliver(attempt, names, last)

    async def _base(self, attempt: Attempt) -> Draft:
        """Return the draft that all versions begin with.

        Raises:
            JobEnded: There is none.
        """
        kept = attempt.load(KeptDraft, BASE)
        if kept is None:
            kept = KeptDraft.of((await self._projects.get_state(attempt.job, attempt.lost.end)).draft)
            await attempt.save(kept, BASE)
        draft = kept.read()
        if draft is None or not draft.is_ready:
            raise JobEnded(nothing_to_export(attempt), JobState.DONE)
        return draft

    async def _ensure_same_project(
        self, attempt: Attempt, names: Sequence[LocalizedMessage], last: OutgoingMessage | None
    ) -> None:
        """Raise ``JobEnded`` if the project was lost: the new one lacks the draft that all versions begin with."""
        session_id = (await self._projects.chats.get(attempt.job.chat)).session_id
        marks = {one.mark for one in _made(attempt, names).values()}
        if session_id is None or not marks <= {project_mark(session_id)}:
            raise JobEnded(last)

    async def _hold(
        self, attempt: Attempt, made: Mapping[int, VariationEnded], names: Sequence[LocalizedMessage]
    ) -> None:
        """Save the message about the finished versions, for a job that is cancelled or ends before its album."""
        if made:
            await attempt.save(PendingAnswer(message=_so_far(made, names)))
        else:
            await attempt.delete(PendingAnswer)

    async def _make(self, attempt: Attempt, names: Sequence[LocalizedMessage]) -> VariationEnded:
        """Take the steps of one version.

        Raises:
            JobEnded: It failed.
        """
        await self._ask_agent(attempt)
        answered = attempt.load(AgentAnswered)
        if answered is not None and answered.still_generating:
            raise JobEnded(_STILL_GENERATING)
        if answered is None or not answered.has_changed:
            raise JobEnded(LocalizedMessage("variations.unchanged"))
        await self._save_version(attempt)
        chats = self._projects.chats
        mark = project_mark((await chats.get_for(attempt.job)).session_id or "")
        versions = await chats.versions.all(attempt.job.chat, mark)
        made = next((one for one in versions if one.job_id == attempt.variation_id), None)
        if made is None:
            raise JobEnded(LocalizedMessage("versions.gone"))
        ended = VariationEnded(
            mark=mark, version=made.number, digest=made.draft_digest, is_kept=bool(made.packed_draft)
        )
        await self._hold(attempt, {**_made(attempt, names), attempt.variation: ended}, names)
        await self._render(attempt, ended)
        return ended

    async def _render(self, attempt: Attempt, made: VariationEnded) -> Exported:
        """Render a version and fetch its video, unless it is there, and return the result.

        Raises:
            JobEnded: It failed.
        """
        payload = ExportPayload(version=made.version if made.is_kept else None, project=made.mark)
        attempt.job = replace(attempt.job, payload=payload)
        if attempt.load(CachedResultUnusable) is None:
            await attempt.save(CachedResultUnusable())  # An album needs files on this disk.
        exported = attempt.load(Exported)
        while exported is None or (exported.is_fetched and not attempt.responder.result_path.exists()):
            await self._export.export(attempt)
            await attempt.wait_for_file()
            exported = attempt.load(Exported)
            if exported is None:
                raise JobEnded(nothing_to_export(attempt))  # The agent has emptied the timeline.
        return exported

    async def _deliver(
        self, attempt: Attempt, names: Sequence[LocalizedMessage], last: OutgoingMessage | None
    ) -> None:
        """Send the videos that were made, and ask which version is to be the current one.

        Raises:
            JobEnded: None was made, or the account lacks what the rest takes.
        """
        made, refused = _made(attempt, names), _refused_for(attempt, names)
        if not made and refused is not None:
            # Nothing else says what was charged.
            further = (*_not_begun(attempt, names), *_credits(attempt, names))
            raise JobEnded(replace(refused, message=with_lines(refused.message, further)))
        if not made:
            # A new attempt doesn't know the last message.
            unfinished = None
            if _is_any_unfinished(attempt, names):
                unfinished = with_lines(_STILL_GENERATING, tuple(_not_begun(attempt, names)))
            raise JobEnded(unfinished or last or LocalizedMessage("variations.unchanged"))
        results = []
        for number, one in made.items():
            with attempt.in_variation(number, len(names), names[number - 1]):
                results.append(result_of(attempt, await self._render(attempt, one)))
        lines = [_line(one, names[number - 1]) for number, one in made.items()]
        attempt.responder.report_progress(Progress("progress.deliver", fraction=DoneFraction.FETCHED))
        album = ListMessage(lines[0], tuple(lines[1:]))
        sent = await attempt.responder.deliver_album("album", results, album)
        if sent is None:
            sent = [
                await attempt.responder.deliver(f"variation.{number}", replace(result, answer=line))
                for number, result, line in zip(made, results, lines, strict=True)
            ]
        chat = await self._projects.chats.get_for(attempt.job)
        for result, delivered in zip(results, sent, strict=True):
            await keep_video(self._projects.chats, chat, result.exported, delivered)
        await attempt.delete(PendingAnswer)
        versions = await self._projects.chats.versions.all(attempt.job.chat, made[max(made)].mark)
        latest = versions[-1].number if versions else 0
        await attempt.responder.send("choice", _choice(attempt, names, latest))
        if refused is not None:
            # Trying again would make, and pay for, the delivered versions once more.
            buttons = tuple(one for one in refused.buttons if not isinstance(one.action, Retry))
            raise JobEnded(replace(refused, message=replace(refused.message, buttons=buttons)))


def _ended(attempt: Attempt, names: Sequence[LocalizedMessage]) -> dict[int, VariationEnded]:
    found = ((number, attempt.load(VariationEnded, str(number))) for number in range(1, len(names) + 1))
    return {number: one for number, one in found if one is not None}


def _made(attempt: Attempt, names: Sequence[LocalizedMessage]) -> dict[int, VariationEnded]:
    return {number: one for number, one in _ended(attempt, names).items() if one.version is not None}


def _is_any_unfinished(attempt: Attempt, names: Sequence[LocalizedMessage]) -> bool:
    return any(one.failure == _reason(_STILL_GENERATING) for one in _ended(attempt, names).values())


def _refused_for(attempt: Attempt, names: Sequence[LocalizedMessage]) -> PrivateMessage | None:
    """Return what the account lacks, if a version failed for it."""
    return next((one.account for one in _ended(attempt, names).values() if one.account is not None), None)


def _not_begun(attempt: Attempt, names: Sequence[LocalizedMessage]) -> list[LocalizedMessage]:
    """Name the versions that were never asked for: those behind one that is unfinished or was refused."""
    ended, nothing = _ended(attempt, names), VariationEnded(failure=LocalizedMessage("variations.not_begun"))
    return [_line(nothing, name) for number, name in enumerate(names, 1) if number not in ended]


def _failed(message: OutgoingMessage | None) -> VariationEnded:
    account = message if isinstance(message, PrivateMessage) else None
    return VariationEnded(failure=_reason(message), account=account)


def _reason(message: OutgoingMessage | None) -> LocalizedMessage:
    if isinstance(message, LocalizedMessage):
        return replace(message, buttons=())
    return LocalizedMessage("variations.failed")


def _line(ended: VariationEnded, name: LocalizedMessage) -> LocalizedMessage:
    if ended.version is None:
        reason = ended.failure or LocalizedMessage("variations.failed")
        return LocalizedMessage("variations.line_failed", {"name": name, "reason": reason})
    return LocalizedMessage("variations.line", {"version": version_name(ended.version), "name": name})


def _so_far(made: Mapping[int, VariationEnded], names: Sequence[LocalizedMessage]) -> ListMessage:
    """Say which versions are finished, with a button for each that sends its video."""
    return ListMessage(
        LocalizedMessage("variations.so_far"),
        tuple(_line(one, names[number - 1]) for number, one in made.items()),
        tuple(
            Button(text=version_name(one.version or 0), action=ShowVersion(one.mark, str(one.version)))
            for one in made.values()
        ),
    )


def _credits(attempt: Attempt, names: Sequence[LocalizedMessage]) -> list[LocalizedMessage]:
    """Return the line about the credits that all versions used; nothing if that is unknown, or not to be shown."""
    paid = [one for one in _ended(attempt, names).values() if one.credits_used]
    if not paid:
        return []
    used = sum(one.credits_used for one in paid)
    return [LocalizedMessage("answer.credits_used", {"n": used, "left": paid[-1].credits_left})]


def _choice(attempt: Attempt, names: Sequence[LocalizedMessage], latest: int) -> ListMessage:
    """Ask which version is to be the current one, and say what failed and what all of it took."""
    ended, made = _ended(attempt, names), _made(attempt, names)
    lines = [_line(one, names[number - 1]) for number, one in ended.items() if number not in made]
    lines += _not_begun(attempt, names)
    lines += _credits(attempt, names)
    export = (_EXPORT,) if _is_any_unfinished(attempt, names) else ()
    buttons = (
        Button(
            "button.use_version",
            RestoreVersion(one.mark, str(one.version)),
            params={"version": version_name(one.version or 0)},
        )
        for one in made.values()
        if one.is_kept
    )
    heading = LocalizedMessage("variations.ready", {"n": len(made), "version": version_name(latest)})
    return ListMessage(heading, tuple(lines), (*buttons, *export))
