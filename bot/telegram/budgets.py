"""What is told of a day's budget."""

from __future__ import annotations

from bot.jobs.budgets import Budgets, Scarce
from bot.jobs.ports import Bytes, Notice, Param, Seconds


def over_budget(scarce: Scarce, budgets: Budgets) -> Notice:
    """Why a request is refused, and when the count starts anew."""
    limit = budgets.limit(scarce)
    params: dict[str, Param] = {"anew_in": Seconds(budgets.anew_in_s)}
    if scarce.what == "jobs":
        return Notice(f"budget.over_jobs_{scarce.whose}", {**params, "n": limit})
    sizes: dict[str, Param] = {"limit": Bytes(limit), "left": Bytes(scarce.left)}
    return Notice(f"budget.over_bytes_{scarce.whose}", {**params, **sizes})


def little_left(scarce: Scarce, budgets: Budgets) -> Notice:
    """What is told before a budget is used up."""
    params: dict[str, Param] = {"anew_in": Seconds(budgets.anew_in_s)}
    if scarce.what == "jobs":
        return Notice(f"budget.left_jobs_{scarce.whose}", {**params, "n": scarce.left})
    return Notice(f"budget.left_bytes_{scarce.whose}", {**params, "left": Bytes(scarce.left)})
