"""Ask the agent: the prompt goes to the agent, once, and its answer to the chat.

A message is charged when it is sent, so it is never sent again once it may have arrived. If the answer is lost, the
project is compared with how it was before the message.
"""

from __future__ import annotations

import structlog

from bot.jobs.checkpoints import AgentAnswered, PromptSent, Turn
from bot.jobs.queue.credit_limits import CreditLimits
from bot.jobs.queue.usual_times import UsualTimes
from bot.jobs.steps.agent_answer import send_answer, turn_failed
from bot.jobs.steps.agent_turn import AgentTurn
from bot.jobs.steps.question import ask_person
from bot.jobs.steps.service_errors import ended_by
from bot.jobs.steps.turn_draft import TurnLimits
from bot.jobs.worker.attempt import Attempt, JobEnded
from bot.nemo.errors import NemoError, ServiceError
from bot.nemo.failures import failure_kind
from bot.projects.projects import Projects
from bot.skills.cards import SkillCards

log = structlog.get_logger(__name__)


class AskAgent:
    """Send the prompt to the agent, once, then the answers to its questions, and its own answer to the chat.

    Args:
        projects: The chats' projects.
        turn_limits: Times of the agent's answer.
        cards: The skill cards.
        credit_limits: Daily limits of what the operator's account spends.
        usual_times: How long turns usually take.
    """

    name = "ask_agent"

    def __init__(
        self,
        projects: Projects,
        turn_limits: TurnLimits,
        cards: SkillCards,
        credit_limits: CreditLimits,
        usual_times: UsualTimes,
    ) -> None:
        self._projects = projects
        self._usual_times = usual_times
        self._credit_limits = credit_limits
        self._turn_limits = turn_limits
        self._cards = cards

    async def __call__(self, attempt: Attempt) -> None:
        if not attempt.job.prompt:
            return
        try:
            turn = attempt.load(Turn) or Turn()
            answered = await self._take_turn(attempt, turn)
            while answered.question_set is not None:
                # A part of a job is done without a person.
                following = (
                    None if attempt.variation else await ask_person(attempt, answered, answered.question_set)
                )
                if following is None:
                    answered = await _end_early(attempt, answered, turn)
                else:
                    turn, answered = following, await self._take_turn(attempt, following)
            if not attempt.variation:
                await send_answer(self._projects, self._cards, attempt, answered)
        except NemoError as error:
            if type(error) is ServiceError and error.code is not None:
                raise turn_failed(attempt.job, failure_kind(f"{error.code} {error.message}")) from error
            raise await ended_by(self._projects, attempt.job, error) from error

    async def _take_turn(self, attempt: Attempt, turn: Turn) -> AgentAnswered:
        answered = attempt.load(AgentAnswered)
        if answered is not None and answered.turn == turn.number:
            return answered
        try:
            return await AgentTurn(
                self._projects, self._turn_limits, self._credit_limits, self._usual_times, attempt, turn
            ).run()
        except (NemoError, JobEnded) as error:
            if answered is None or not answered.is_exportable or not await self._has_same_project(attempt):
                raise
            # What was done before the agent's question was paid for: it is delivered all the same.
            log.warning("ask_agent.ended_early", turn=turn.number, error=type(error).__name__)
            return await _end_early(attempt, answered, turn)

    async def _has_same_project(self, attempt: Attempt) -> bool:
        asked = attempt.load(PromptSent) or PromptSent()
        return (await self._projects.chats.get(attempt.job.chat)).session_id == asked.session_id


async def _end_early(attempt: Attempt, answered: AgentAnswered, turn: Turn) -> AgentAnswered:
    """Save that a turn ended with what the one before it had changed."""
    early = answered.changed(turn=turn.number, text="", files=0, question_set=None, failed=True)
    await attempt.save(early)
    return early
