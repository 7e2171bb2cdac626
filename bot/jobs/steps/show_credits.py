"""Show how many credits are left."""

from bot.chats.chats import AccountKind
from bot.jobs.buttons import Retry
from bot.jobs.messages import Button, ListMessage, LocalizedMessage, PrivateMessage
from bot.jobs.steps.service_errors import register_buttons
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.projects.projects import Projects


class ShowCredits:
    """Answer how many credits the chat's account has left."""

    name = "show_credits"

    def __init__(self, projects: Projects) -> None:
        self._projects = projects

    async def __call__(self, attempt: Attempt) -> None:
        projects = self._projects
        chat = await projects.chats.get(attempt.job.chat)
        is_guest = await projects.accounts.account_kind_for(chat) is AccountKind.GUEST
        if is_guest and chat.token is None:
            # Guest accounts are too scarce for a mere question.
            none_yet = ListMessage(LocalizedMessage("credits.none_yet"), (LocalizedMessage("credits.costs"),))
            await attempt.responder.send("credits", none_yet)
            return
        credits_ = await projects.get_credits(attempt.job, attempt.lost.report)
        if credits_.available is None:
            retry = Button("button.retry", Retry(attempt.job.id))
            raise JobEnded(LocalizedMessage("credits.unknown", buttons=(retry,)))
        chat = await projects.chats.get(attempt.job.chat)
        balance = {
            "available": round(credits_.available),
            "frozen": round(credits_.frozen or 0),
            "total": round(credits_.total or credits_.available),
        }
        account = "own" if chat.account is AccountKind.NONE else str(chat.account)
        await attempt.responder.send(
            "credits",
            PrivateMessage(
                ListMessage(
                    LocalizedMessage("credits.balance", balance),
                    (LocalizedMessage("credits.costs"), LocalizedMessage(f"credits.account_{account}")),
                    await register_buttons(projects, chat) if attempt.job.chat.is_private else (),
                )
            ),
        )
