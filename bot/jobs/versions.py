"""What a chat sees of its project's versions, and which of them a job renders."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot.chats.key import ChatKey
from bot.chats.versions import Version
from bot.jobs.buttons import Compare, RestoreVersion, ShowVersion
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Param
from bot.jobs.project_views import age_of

SHARED: Final = re.compile(r"(?P<mark>[0-9a-f]{10})-(?P<number>\d{1,6})")
"""What stands for a version of a private chat's project where its person types behind the bot's name."""


def shared_as(chat: ChatKey, version: Version, mark: str) -> str:
    """Return what finds a version again, see ``SHARED``; empty for those of groups."""
    return f"{mark}-{version.number}" if chat.is_private else ""


def version_name(number: int) -> str:
    """Return the name of a version, the same in every language."""
    return f"v{number}"


def version_at(versions: Sequence[Version], number: int) -> Version | None:
    """Return the version with a number."""
    return next((version for version in versions if version.number == number), None)


def version_buttons(versions: Sequence[Version], shown: Version, mark: str) -> tuple[Button, ...]:
    """Return the buttons under a version's video: its neighbours, what goes back to it, or undoes it.

    Args:
        versions: All versions of the project, the oldest first.
        shown: The one whose video it is.
        mark: Stands for the project.
    """
    before, after = version_at(versions, shown.number - 1), version_at(versions, shown.number + 1)
    latest = versions[-1]
    buttons: list[Button] = []
    if before is not None:
        show = ShowVersion(mark, str(before.number))
        label = f"◀ {version_name(before.number)}"
        buttons.append(Button(text=label, action=show) if before.number else Button("button.original", show))
    if after is not None:
        buttons.append(
            Button(text=f"{version_name(after.number)} ▶", action=ShowVersion(mark, str(after.number)))
        )
        back = RestoreVersion(mark, str(shown.number))
        if shown.packed_draft and shown.draft_digest != latest.draft_digest:
            buttons.append(Button("button.restore_version", back))
        if shown.picture_id and latest.picture_id:
            buttons.append(Button("button.compare", Compare(mark, str(shown.number))))
    elif (target := _undo_target(versions)) is not None and target.packed_draft:
        buttons.append(Button("button.undo", RestoreVersion(mark, str(target.number))))
    return tuple(buttons)


def _undo_target(versions: Sequence[Version]) -> Version | None:
    """Return the version that Undo restores.

    Repeated undos walk back: after v3 was undone to v2, the next Undo goes to v1, not to v3.
    """
    latest, earlier = versions[-1], versions[:-1]
    if latest.restored is not None and earlier:
        target = _undo_target(earlier)
        if target is not None and (target.number, target.draft_digest) == (
            latest.restored,
            latest.draft_digest,
        ):
            return _undo_target([version for version in earlier if version.number <= target.number])
    return version_at(versions, latest.number - 1)


def version_line(version: Version, latest: Version) -> LocalizedMessage:
    """Say which version a video is of, and which one the project is at."""
    params: dict[str, Param] = {"version": version_name(version.number), "words": words_of(version)}
    if version.draft_digest == latest.draft_digest:
        return LocalizedMessage("versions.current", params)
    return LocalizedMessage("versions.earlier", {**params, "latest": version_name(latest.number)})


def words_of(version: Version) -> Param:
    """Return the words of the request that made a version."""
    return version.words or LocalizedMessage("versions.original")


def history_view(versions: Sequence[Version], mark: str, now: datetime) -> ListMessage | LocalizedMessage:
    """List a project's versions, the latest first, with a button for each that sends its video."""
    if not versions:
        return LocalizedMessage("versions.none")
    latest = versions[-1]
    lines, buttons = [], []
    for version in reversed(versions):
        params: dict[str, Param] = {
            "version": version_name(version.number),
            "words": words_of(version),
            "age": age_of(version.made_at, now),
        }
        key = "versions.line_current" if version is latest else "versions.line"
        lines.append(LocalizedMessage(key, params))
        if version.packed_draft or version.file_id:
            show = ShowVersion(mark, str(version.number))
            buttons.append(Button(text=version_name(version.number), action=show))
    return ListMessage(LocalizedMessage("versions.heading"), tuple(lines), tuple(buttons))
