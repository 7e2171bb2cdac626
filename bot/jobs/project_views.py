"""What a chat sees of its list of projects."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from bot.chats.project_list import ListedProject
from bot.jobs.buttons import (
    DeleteProject,
    ListProjects,
    NewProject,
    OpenProject,
    RenameProject,
    ShowProject,
)
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, Param, Seconds

PROJECTS_PER_PAGE: Final = 5

_DAY_S = 86_400


def name_of(project: ListedProject) -> Param:
    """Return a project's name."""
    return project.name or LocalizedMessage("projects.unnamed")


def list_view(
    projects: Sequence[ListedProject], present: str | None, now: datetime, page: int = 1
) -> ListMessage:
    """List a page of a chat's projects, each in a line, with a button that shows it.

    Args:
        projects: All of them, newest first.
        present: The session of the current one.
        now: The time, UTC.
        page: The page, from 1; the last one if there are fewer by now.
    """
    new = Button("button.new_project", NewProject())
    if not projects:
        return ListMessage(LocalizedMessage("projects.none"), (), ())
    pages = -(-len(projects) // PROJECTS_PER_PAGE)
    page = min(max(page, 1), pages)
    first = (page - 1) * PROJECTS_PER_PAGE
    lines, buttons = [], []
    for position, project in enumerate(projects[first : first + PROJECTS_PER_PAGE], first + 1):
        params: dict[str, Param] = {
            "position": position,
            "name": name_of(project),
            "facts": _facts(project, now),
        }
        lines.append(LocalizedMessage(f"projects.line_{_state(project, present)}", params))
        label = f"{position}. {project.name}" if project.name else f"{position}."
        buttons.append(Button(text=label, action=ShowProject(project.mark)))
    if pages > 1:
        lines.append(LocalizedMessage("skill.page", {"page": page, "pages": pages}))
    if page > 1:
        buttons.append(Button("button.previous_page", ListProjects(str(page - 1))))
    if page < pages:
        buttons.append(Button("button.next_page", ListProjects(str(page + 1))))
    return ListMessage(LocalizedMessage("projects.heading"), tuple(lines), (*buttons, new))


def project_view(project: ListedProject, present: str | None, now: datetime) -> ListMessage:
    """Show a project with buttons for what can be done with it."""
    state = _state(project, present)
    heading = LocalizedMessage("projects.name", {"name": name_of(project)})
    lines = [_facts(project, now)]
    if state != "other":
        lines.append(LocalizedMessage(f"projects.is_{state}"))
    back = Button("button.back", ListProjects("1"))
    if state == "present":
        return ListMessage(heading, tuple(lines), (Button("button.rename", RenameProject()), back))
    label = "button.restore" if state == "lost" else "button.open_project"
    go_back = Button(label, OpenProject(project.mark))
    delete = Button("button.delete", DeleteProject(is_sure=False, mark=project.mark))
    return ListMessage(heading, tuple(lines), (go_back, delete, back))


def delete_view(project: ListedProject) -> LocalizedMessage:
    """Ask whether a project is to be forgotten."""
    buttons = (
        Button("button.keep_project", ShowProject(project.mark)),
        Button("button.delete", DeleteProject(is_sure=True, mark=project.mark), style="danger"),
    )
    return LocalizedMessage("projects.delete", {"name": name_of(project)}, buttons)


def age_of(time: datetime, now: datetime) -> Param:
    """Return how long ago something was, in days or else to the minute."""
    age_s = max(0.0, (now - time).total_seconds())
    days = int(age_s // _DAY_S)
    return LocalizedMessage("projects.days", {"n": days}) if days else Seconds(max(60, age_s // 60 * 60))


def _state(project: ListedProject, present: str | None) -> str:
    if project.session_id == present:
        return "present"
    return "lost" if project.is_lost else "other"


def _facts(project: ListedProject, now: datetime) -> LocalizedMessage:
    age = age_of(project.used_at, now)
    if project.duration_ms is None:
        return LocalizedMessage("projects.age", {"age": age})
    length = Seconds(project.duration_ms / 1000)
    return LocalizedMessage("projects.length_and_age", {"length": length, "age": age})
