import json
from typing import Any

import pytest

from bot.nemo.events import Unknown, read_event
from bot.nemo.questions import (
    MAX_QUESTIONS,
    Question,
    QuestionSet,
    answer_text,
    has_answer,
    read_questions,
    read_tool_question,
)

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
        ({"questions": [{"options": ["A", "B"]}]}, QuestionSet((Question("…", ("A", "B")),))),
        ({"questions": [{"options": []}, None, 5]}, None),
        ({}, None),
    ],
)
def test_questions_are_read(args: dict[str, Any], questions: QuestionSet | None) -> None:
    assert read_questions(args) == questions
    assert read_tool_question("ask_question", args) == questions


COLOUR = QuestionSet((Question("Colour?", ("Red", "Blue")),))


@pytest.mark.parametrize(
    "args",
    [
        {"questions": [{"prompt": "Colour?", "options": {"a": "Red", "b": {"label": "Blue"}}}]},
        {"questions": [{"prompt": "Colour?", "options": [{"value": "Red"}, {"name": "Blue"}]}]},
        {"questions": [{"prompt": "Colour?", "options": '["Red", "Blue"]'}]},
        {"questions": '[{"prompt": "Colour?", "choices": ["Red", "Blue"]}]'},
        {"questions": {"q1": {"question": "Colour?", "options": ["Red", "Blue"]}}},
        {"question": {"prompt": "Colour?", "options": ["Red", "Blue"]}},
        {"request": {"args": {"questions": [{"prompt": "Colour?", "options": ["Red", "Blue"]}]}}},
        {"title": "Colour?", "options": ["Red", "Blue"]},
        {"title": "Colour?", "questions": [{"options": ["Red", "Blue"]}]},
        {"questions": [{"header": "Colour?", "options": ["Red", "Blue"]}]},
        {"questions": [{"questionText": "Colour?", "answer_options": ["Red", "Blue"]}]},
        {"question_list": [{"query": "Colour?", "optionList": [{"answer": "Red"}, {"answer": "Blue"}]}]},
        {"Questions": [{"Prompt": "Colour?", "Options": [{"Label": "Red"}, {"Label": "Blue"}]}]},
        {"text": "Colour?", "buttons": [{"title": "Red"}, {"title": "Blue"}]},
        {"form": {"fields": [{"label": "Colour?", "selections": ["Red", "Blue"]}]}},
        {"question": "Colour?", "options": "Red, Blue"},
        {"question": "Colour?", "choices": "Red\nBlue"},
        {"问题": "Colour?", "选项": ["Red", "Blue"]},
    ],
)
@pytest.mark.parametrize(
    "tool", ["ask_question", "AskQuestion", "ask_user", "adk_request_input", "nemo:askQuestions"]
)
def test_questions_are_read_in_every_shape(tool: str, args: dict[str, Any]) -> None:
    assert read_tool_question(tool, args) == COLOUR


OPTIONS = {"options": ["Red", "Blue"]}
MESSAGE = {"message": "Spend 100 credits?"}


@pytest.mark.parametrize(
    ("tool", "args", "is_long_running", "is_question"),
    [
        ("get_user_choice", OPTIONS, True, True),
        ("getUserChoice", OPTIONS, False, True),
        ("select_option", {**MESSAGE, **OPTIONS}, False, True),
        ("pick_style", OPTIONS, True, True),
        ("confirm_with_user", MESSAGE, True, True),
        ("request_approval", MESSAGE, False, True),
        ("get_input_from_user", MESSAGE, False, True),
        ("request_user_approval", {}, True, True),
        ("request_user_approval", {}, False, False),
        ("generate_video", {"prompt": "a cat", "options": ["hd"]}, True, False),
        ("render", {"prompt": "a cat", "options": {"quality": "high"}}, True, False),
        ("process_user_input", {"text": "make a video"}, False, False),
        ("send_message_to_user", MESSAGE, False, False),
        ("generate_video_for_user", {"prompt": "a cat"}, False, False),
        ("get_user_files", {"text": "clips"}, False, False),
        ("get_user_preferences", {"text": "style"}, False, False),
        ("get_permissions", {"text": "of the project"}, False, False),
        ("ask_gemini", {"question": "What is in the clip?"}, False, False),
        ("pick_style", OPTIONS, False, False),
    ],
)
def test_a_tool_that_waits_for_a_person_asks_under_any_name(
    tool: str, args: dict[str, Any], is_long_running: bool, is_question: bool
) -> None:
    assert (read_tool_question(tool, args, is_long_running=is_long_running) is not None) is is_question


def test_a_confirmation_of_any_name_is_answered_with_yes_or_no() -> None:
    asked = QuestionSet((Question("Spend 100 credits?", is_confirmation=True),))
    assert read_tool_question("confirm_with_user", MESSAGE, is_long_running=True) == asked


@pytest.mark.parametrize(
    ("result", "is_answered"),
    [
        ({"answer": "Red"}, True),
        ({"result": {"selected": ["Red"]}}, True),
        ({"userResponse": "Red"}, True),
        ({"data": {"result": {"output": {"answer": "Red"}}}}, True),
        ({"selected_option": "Red"}, True),
        ({"answer": "pending"}, False),
        ({"status": "pending", "answer_type": "single"}, False),
        ({"selection_mode": "multiple"}, False),
        ({"user_response": "Awaiting response"}, False),
        ({"reply": "I have asked the user."}, False),
        ({"answers": []}, False),
        ({"status": "ok", "message": "The question is shown."}, False),
        ("Red", False),
        (None, False),
    ],
)
def test_whether_a_tool_has_answered_its_own_question(result: object, is_answered: bool) -> None:
    assert has_answer(result) is is_answered


@pytest.mark.parametrize(
    "args",
    [
        {"question_id": "q1", "prompt": "How long, and how loud?", "answer_type": "single"},
        {"questions": [{"id": "q1", "prompt": "How long, and how loud?", "question_type": "free"}]},
    ],
)
def test_what_only_describes_a_question_is_no_part_of_it(args: dict[str, Any]) -> None:
    assert read_questions(args) == QuestionSet((Question("How long, and how loud?"),))


@pytest.mark.parametrize(
    "choice",
    [{"multiSelect": True}, {"multi_select": "true"}, {"type": "multiple_choice"}, {"multiple": True}],
)
def test_several_choices_are_allowed_in_every_shape(choice: dict[str, Any]) -> None:
    asked = read_questions({"questions": [{"prompt": "Colour?", "options": [1, 2.5], **choice}]})
    assert asked == QuestionSet((Question("Colour?", ("1", "2.5"), allow_multiple=True),))


def test_questions_without_options_may_be_bare_texts() -> None:
    assert read_questions({"questions": ["Colour?", "Size?"]}) == QuestionSet(
        (Question("Colour?"), Question("Size?"))
    )


def test_an_answer_of_any_depth_is_read() -> None:
    result: dict[str, Any] = {"answer": "Red"}
    for _ in range(3000):
        result = {"result": result}
    assert not has_answer(result)


@pytest.mark.parametrize(
    "tool",
    [
        "mask_video",
        "ask_vision_model",
        "create_task",
        "wait_for_render",
        "answer_question",
        "add_quiz_question",
    ],
)
def test_tools_with_other_names_ask_no_person(tool: str) -> None:
    assert read_tool_question(tool, {"question": "What is in the video?"}) is None
    assert read_tool_question(tool, {"prompt": "a cat"}, is_long_running=True) is None


@pytest.mark.parametrize("kind", ["suggested_questions", "follow_up_questions", "mcp__faq__search_questions"])
def test_suggestions_for_a_person_ask_nothing(kind: str) -> None:
    questions = ["Shall I add music?", "Shall I add a title?"]
    assert read_tool_question(kind, {"questions": questions}) is None
    assert read_event(json.dumps({"type": kind, "questions": questions})) == (Unknown(kind),)


@pytest.mark.parametrize("tool", ["ask_follow_up_questions", "generate_clarifying_questions"])
def test_a_question_that_follows_up_is_asked(tool: str) -> None:
    assert read_tool_question(tool, {"questions": ["Which clip?"]}) is not None


def test_a_confirmation_told_twice_is_one() -> None:
    named = QuestionSet((Question("Pay?", is_confirmation=True, tool="buy"),))
    unnamed = QuestionSet((Question("Pay?", is_confirmation=True),))
    assert named.joined(unnamed) == unnamed.joined(named) == named


def test_a_confirmation_is_a_question() -> None:
    args = {
        "originalFunctionCall": {"name": "generate_video", "args": {}},
        "toolConfirmation": {"hint": "This takes 100 credits. Go on?", "confirmed": False},
    }
    asked = read_tool_question("adk_request_confirmation", args)
    assert asked == QuestionSet(
        (Question("This takes 100 credits. Go on?", is_confirmation=True, tool="generate_video"),)
    )


LOGIN_URL = "https://accounts.example.com/auth?client_id=1"


@pytest.mark.parametrize(
    ("args", "url"),
    [
        ({"authConfig": {"exchangedAuthCredential": {"oauth2": {"authUri": LOGIN_URL}}}}, LOGIN_URL),
        ({"auth_config": {"exchanged_auth_credential": {"oauth2": {"auth_uri": LOGIN_URL}}}}, LOGIN_URL),
        ({"authConfig": {"authScheme": {"type": "apiKey"}}}, ""),
        ({}, ""),
    ],
)
def test_a_login_elsewhere_is_a_question(args: dict[str, Any], url: str) -> None:
    assert read_tool_question("adk_request_credential", args) == QuestionSet((Question("", login_url=url),))


def test_a_login_told_twice_is_one_and_no_other_question() -> None:
    known, unknown = (QuestionSet((Question("", login_url=url),)) for url in (LOGIN_URL, ""))
    assert known.joined(unknown) == unknown.joined(known) == known.joined(known) == known
    assert len(known.joined(COLOUR).questions) == len(COLOUR.joined(known).questions) == 2


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


def test_questions_that_come_one_by_one_are_no_more_than_those_that_come_at_once() -> None:
    asked = QuestionSet((Question("0"),))
    for number in range(1, 2 * MAX_QUESTIONS):
        asked = asked.joined(QuestionSet((Question(chr(ord("a") + number)),)))
    assert len(asked.questions) == MAX_QUESTIONS
