"""What is told of conversation files that can't be played."""

import re
from pathlib import Path

import pytest
import yaml

from bot.sandbox import player
from bot.sandbox.conversation import DIRECTORY, WrongFile, read_conversation
from bot.store.connect import Store

GOOD = {"title": "Any", "people": {"Ann": {}}, "steps": [{"Ann": {"says": "hi", "label": "hi"}}]}


def written(path: Path, **changes: object) -> Path:
    path.write_text(yaml.safe_dump({**GOOD, **changes}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": "none"}, "a mapping with a list of steps"),
        ({"steps": [{"Bo": {"says": "hi"}}]}, "step 1: nobody is called Bo"),
        ({"steps": [{"Ann": {"says": "hi"}, "bot": {}}]}, "step 1: a step is one actor"),
        ({"steps": [{"Ann": {}}]}, "step 1 (Ann): Value error, somebody does one of says, sends"),
        ({"steps": [{"Ann": {"says": "a", "deletes": "b"}}]}, "not says and deletes"),
        ({"steps": [{"bot": {"sayz": "hi"}}]}, "step 1 (bot): sayz: Extra inputs are not permitted"),
        ({"steps": [{"bot": {"reply_to": "x"}}]}, "step 1 (bot): no message has the label x yet"),
        ({"steps": [{"Ann": {"says": "hi", "chat": "Club"}}]}, "step 1 (Ann): there is no chat Club"),
        ({"steps": [{"Ann": {"says": "hi", "topic": "Cats"}}]}, "Ann has no topic Cats"),
        (
            {"steps": [{"nemo": {"script": "nap"}}]},
            "step 1 (nemo): script: Value error, there is no script nap",
        ),
        ({"settings": {"NAP_S": 1}}, "settings: Value error, there is no setting NAP_S"),
        ({"speed": 0}, "speed: Input should be greater than or equal to 1"),
        ({"chats": {"Club": {"creator": "Bo"}}}, "chat Club: nobody is called Bo"),
    ],
)
def test_a_wrong_file_is_named_with_step_and_reason(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    path = written(tmp_path / "wrong.yaml", **changes)

    with pytest.raises(WrongFile) as refused:
        read_conversation(path)

    assert str(refused.value).startswith(str(path))
    assert told in str(refused.value)


def test_a_file_that_is_not_there_or_no_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongFile, match="No such file"):
        read_conversation(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("title: [", encoding="utf-8")
    with pytest.raises(WrongFile, match="no YAML"):
        read_conversation(tmp_path / "broken.yaml")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"nemo": {"render_nap": 1}}, "nemo: "),
        ({"settings": {"QUEUE_LIMIT": 0}}, "settings: queue_limit: Input should be greater"),
        ({"steps": [{"nemo": {"fault": {"endpoint": "nap"}}}]}, "step 1 (nemo): "),
        ({"steps": [{"nemo": {"script": "silence", "args": {"naps": 1}}}]}, "step 1 (nemo): "),
    ],
)
async def test_what_the_services_refuse_is_told_as_a_wrong_file(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    conversation = read_conversation(written(tmp_path / "wrong.yaml", **changes))

    with pytest.raises(WrongFile) as refused:
        await player.play(conversation, tmp_path / "out", tmp_path)

    assert told in str(refused.value)


def test_the_description_names_every_key() -> None:
    from bot.sandbox import conversation as format_

    told = (DIRECTORY / "README.md").read_text(encoding="utf-8")
    models = (
        format_.Conversation,
        format_.Person,
        format_.Group,
        format_.File,
        format_.PersonStep,
        format_.Video,
        format_.Uploaded,
        format_.BotStep,
        format_.NemoStep,
        format_.TelegramStep,
        format_.CallError,
    )
    missing = [name for model in models for name in model.model_fields if name not in told]

    assert missing == []


async def test_the_example_of_the_description_holds(tmp_path: Path, store: Store) -> None:
    text = (DIRECTORY / "README.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "example.yaml").write_text(example, encoding="utf-8")

    conversation = read_conversation(tmp_path / "example.yaml")
    assert await player.play(conversation, tmp_path / "out", tmp_path, store.url) is None


def test_the_tables_of_the_description_name_every_file_and_no_other() -> None:
    tables = (DIRECTORY / "README.md").read_text(encoding="utf-8").partition("what of NemoVideo's API")[2]

    assert set(re.findall(r"`(\w+\.yaml)`", tables)) == {path.name for path in DIRECTORY.glob("*.yaml")}
