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
    assert asked == QuestionSet((Question("This takes 100 credits. Go on?"),))


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
