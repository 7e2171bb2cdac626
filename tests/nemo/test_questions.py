from typing import Any

import pytest

from bot.nemo.questions import Question, QuestionSet, answer_text, read_questions, read_tool_question

LOOK = {
    "id": "look",
    "prompt": "Which look?",
    "options": [{"id": "a", "label": "Cinematic"}, {"id": "b", "label": "Cartoon"}],
}


@pytest.mark.parametrize(
    ("args", "questions"),
    [
        (
            {"title": "A few details", "questions": [LOOK]},
            QuestionSet((Question("Which look?", ("Cinematic", "Cartoon")),), "A few details"),
        ),
        (
            {"questions": [{**LOOK, "allow_multiple": True}]},
            QuestionSet((Question("Which look?", ("Cinematic", "Cartoon"), allow_multiple=True),)),
        ),
        ({"questions": [{"prompt": "How long?"}]}, QuestionSet((Question("How long?"),))),
        (LOOK, QuestionSet((Question("Which look?", ("Cinematic", "Cartoon")),))),
        (
            {"questions": [{"prompt": "A or B?", "options": ["A", "B"]}]},
            QuestionSet((Question("A or B?", ("A", "B")),)),
        ),
        ({"questions": [{"options": []}, None, 5]}, None),
        ({}, None),
    ],
)
def test_questions_are_read(args: dict[str, Any], questions: QuestionSet | None) -> None:
    assert read_questions(args) == questions
    assert read_tool_question("ask_question", args) == questions


def test_a_confirmation_is_a_question() -> None:
    args = {
        "originalFunctionCall": {"name": "generate_video", "args": {}},
        "toolConfirmation": {"hint": "This takes 100 credits. Go on?", "confirmed": False},
    }
    asked = read_tool_question("adk_request_confirmation", args)
    assert asked == QuestionSet(
        (Question("This takes 100 credits. Go on?", is_confirmation=True, tool="generate_video"),)
    )


def test_adks_own_hint_is_for_programs() -> None:
    hint = "Please respond with a FunctionResponse with an expected ToolConfirmation payload."
    asked = read_tool_question("adk_request_confirmation", {"toolConfirmation": {"hint": hint}})
    assert asked == QuestionSet((Question("", is_confirmation=True),))


def test_questions_of_several_events_are_joined() -> None:
    first = QuestionSet((Question("Which lo"), Question("How long?")), "Details")
    later = QuestionSet((Question("Which look?", ("A", "B")),))
    assert first.joined(later) == QuestionSet(
        (Question("Which look?", ("A", "B")), Question("How long?")), "Details"
    )
    tools = [QuestionSet((Question("", is_confirmation=True, tool=tool),)) for tool in ("cut", "trim", "cut")]
    assert len(tools[0].joined(tools[1]).joined(tools[2]).questions) == 2
    assert later.joined(later) == later


def test_each_answer_stays_on_its_line() -> None:
    assert (
        answer_text([Question("What\nshall it say?")], [["Best\ncoffee"]])
        == "1. What shall it say?: Best coffee"
    )


def test_other_tools_ask_nothing() -> None:
    assert read_tool_question("generate_video", {"questions": [LOOK]}) is None


def test_the_answer_is_one_line_a_question() -> None:
    questions = (
        Question("Which look?", ("Cinematic", "Cartoon")),
        Question("How long?"),
        Question("Which?", ("A", "B", "C")),
    )
    assert answer_text(questions, [["Cartoon"], ["10 seconds"], ["A", "C"]]) == (
        "1. Which look?: Cartoon\n2. How long?: 10 seconds\n3. Which?: A, C"
    )
