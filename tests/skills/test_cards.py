import time
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.nemovideo.prompts import Background, Generate, Music, Title, Trim, parse
from bot.skills.body import NEMO_KINDS, one_line
from bot.skills.cards import (
    BUILT_IN_DIR,
    DEFAULT_CARD,
    INSTALL_DIRS,
    LINK_PREFIX,
    SkillCard,
    _card_files,
    card_mark,
    example_mark,
    link_name,
    load_cards,
    platform_of,
)
from bot.skills.files import Unreadable, read_card_file
from bot.skills.mojibake import repair
from bot.skills.sections import details, tips, usual_times_s
from bot.words.phrases import PhraseAction, action_for
from tests.cards import built_in_cards

MB = 1024**2
BUILT_IN = {
    "ai-music-generator-free": 500 * MB,
    "ai-music-generator-free-ab-old": 500 * MB,
    "sora-video-generation": 200 * MB,
    "video-editing-ai-background": 500 * MB,
    "video-editor": 500 * MB,
}

OTHERS = """\
---
name: caption-wizard
version: 2.1.3
displayName: "Caption Wizard"
description: Puts captions on clips.
metadata: {"openclaw": {"emoji": "💬", "requires": {"env": ["NEMO_TOKEN"]}, "homepage": "https://example.com"}}
unknown: {deep: [1, 2]}
---

# 💬 Caption Wizard — captions for everyone

> "Hey! Drop a clip,
> and I caption it."

**Try saying:**

- "add captions in yellow" → burns them in
- `translate the captions`
* **make them bigger**

Export formats: MP4, GIF.

| Rule | Value |
|---|---|
| Supported formats | mp4, MOV, jpeg |
| Max file size | 250MB |
"""


def write_card(root: Path, text: str | bytes, name: str = "some-card") -> Path:
    path = root / name / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(root: Path, text: str, name: str = "some-card") -> SkillCard:
    write_card(root, text, name)
    cards = load_cards([root])
    assert cards.problems == ()
    (card,) = (card for card in cards.in_language("en") if card.name not in BUILT_IN)
    return card


def test_the_readmes_example_is_a_card(tmp_path: Path) -> None:
    readme = (BUILT_IN_DIR.parent / "README.md").read_text("utf-8")
    text = readme.split("```markdown\n")[1].split("```")[0]
    (tmp_path / "travel-reels").mkdir()
    (tmp_path / "travel-reels/SKILL.md").write_text(text, "utf-8")
    cards = load_cards([tmp_path])
    assert cards.problems == ()
    card = cards.get("travel-reels")
    assert card is not None
    assert (card.display_name, card.emoji, card.version) == ("Travel reels", "🧳", "1.0.0")
    assert card.greeting.startswith("Hi! Send me")
    assert len(card.examples) == 2
    assert card.size_limit_bytes == 300 * 1024**2
    assert card.file_kinds == ("mp4", "mov")
    assert f"t.me/<bot>?start={LINK_PREFIX}{link_name(card.name)}" in readme


def test_the_built_in_cards_can_all_be_read() -> None:
    cards = load_cards()
    assert cards.problems == ()
    assert {card.name: card.size_limit_bytes for card in cards.in_language("en")} == BUILT_IN
    assert cards.get(DEFAULT_CARD) is not None


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_card_is_whole_in_both_languages(name: str) -> None:
    cards = built_in_cards()
    english, chinese = cards.get(name, "en"), cards.get(name, "zh")
    assert english is not None
    assert chinese is not None
    assert english.version == chinese.version == "1.0.0"
    assert english.platform == "unknown"
    assert len(english.examples) == len(chinese.examples) >= 3
    assert len(english.tips) == len(chinese.tips) == 3
    for text in ("display_name", "description", "greeting", "details"):
        assert getattr(english, text).isascii()
        assert any("\u4e00" <= c <= "\u9fff" for c in getattr(chinese, text))
    for part in (english.details, chinese.details):
        assert part.count("**") >= 4, "what to describe, and good practice or ways to work"


@pytest.mark.parametrize(
    ("name", "times_s", "best"),
    [
        ("ai-music-generator-free-ab-old", (20, 40), ("mp4", "mov", "avi", "webm")),
        ("video-editing-ai-background", (30, 60), ("mp4", "mov", "avi", "webm")),
        ("video-editor", (30, 60), ("mp4", "mov", "avi", "webm")),
        ("ai-music-generator-free", (60, 120), ("mp4", "mov", "avi", "webm")),
        ("sora-video-generation", (60, 180), ("txt", "png", "jpg", "mp4")),
    ],
)
def test_a_built_in_card_tells_usual_times_and_best_formats(
    name: str, times_s: tuple[int, int], best: tuple[str, ...]
) -> None:
    cards = built_in_cards()
    for language in ("en", "zh"):
        card = cards.get(name, language)
        assert card is not None
        assert (card.usual_times_s, card.best_kinds) == (times_s, best)
        assert not card.restricts_kinds


EDITED: Final = {
    "ai-music-generator-free": Music,
    "ai-music-generator-free-ab-old": Music | Generate,
    "sora-video-generation": Generate,
    "video-editing-ai-background": Background,
    "video-editor": Trim | Music | Title | Generate,
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", BUILT_IN)
def test_the_stand_ins_agent_carries_out_every_example(name: str, language: str) -> None:
    card = built_in_cards().get(name, language)
    assert card is not None
    for example in card.examples:
        if action_for(example) is not PhraseAction.EXPORT:  # done by the bot itself
            (prompt,) = parse(example)
            assert isinstance(prompt, EDITED[name]), example


@pytest.mark.parametrize(
    ("example", "kind"),
    [
        ("generate a 60-second travel montage video into a 1080p MP4", Generate),
        ("generate a free background music track that matches the mood of my video", Music),
        ("adding AI-generated background music to videos for content creators", Music),
        ("remove my background and replace it with a clean office setting", Background),
        ("Generate a 90-second upbeat acoustic track for a travel vlog montage", Music),
        ("Create a tense, cinematic background score for a 2-minute thriller short film", Music),
        ("Make a lo-fi chill hip-hop loop around 60 seconds long for a study tips YouTube video", Music),
        ("generate a 10-second video of a sunset over the ocean with waves crashing", Generate),
    ],
)
def test_the_documents_own_examples_work_in_the_sandbox(example: str, kind: type) -> None:
    assert [type(prompt) for prompt in parse(example)] == [kind]


def test_the_video_card_names_what_it_works_best_with_first() -> None:
    card = built_in_cards().get("sora-video-generation")
    assert card is not None
    assert card.kinds[:4] == ("txt", "png", "jpg", "mp4")
    assert set(NEMO_KINDS) <= set(card.kinds)


def test_a_language_without_a_translation_gets_the_card_as_it_is(tmp_path: Path) -> None:
    write_card(tmp_path, OTHERS)
    card = load_cards([tmp_path]).get("caption-wizard", "zh")
    assert card is not None
    assert card.display_name == "Caption Wizard"


def test_what_a_translation_lacks_is_taken_from_the_card(tmp_path: Path) -> None:
    path = write_card(tmp_path, OTHERS)
    (path.parent / "SKILL.zh.md").write_text("---\ndisplayName: 字幕大师\n---\n# 试试这样说\n", "utf-8")
    cards = load_cards([tmp_path])
    own, card = cards.get("caption-wizard", "en"), cards.get("caption-wizard", "zh")
    assert own is not None
    assert card is not None
    assert card.display_name == "字幕大师"
    assert (
        card.examples
        == own.examples
        == ("add captions in yellow", "translate the captions", "make them bigger")
    )
    assert card.greeting == own.greeting == "Hey! Drop a clip,\nand I caption it."
    assert card.description == own.description == "Puts captions on clips."


def test_a_card_made_by_others_works_unchanged(tmp_path: Path) -> None:
    card = read(tmp_path, OTHERS)
    assert (card.name, card.version, card.display_name) == ("caption-wizard", "2.1.3", "Caption Wizard")
    assert card.emoji == "💬"
    assert card.greeting == "Hey! Drop a clip,\nand I caption it."
    assert card.examples == ("add captions in yellow", "translate the captions", "make them bigger")
    assert card.size_limit_bytes == 250 * MB
    assert card.kinds == ("mp4", "mov", "jpg")


def test_what_front_matter_lacks_is_found_in_the_body(tmp_path: Path) -> None:
    card = read(tmp_path, "# 🎈 Balloon maker\n\nVersion: 0.9.1\n\nFiles of up to 1.5 GB.\n", name="balloons")
    assert (card.name, card.version, card.display_name) == ("balloons", "0.9.1", "balloons")
    assert card.emoji == "🎈"
    assert card.description == "Version: 0.9.1"
    assert card.greeting == ""
    assert card.size_limit_bytes == 1536 * MB
    assert card.kinds == NEMO_KINDS
    assert card.examples == ()


def test_a_chinese_card(tmp_path: Path) -> None:
    card = read(
        tmp_path,
        "---\nname: zi\nversion: 1.0\n---\n> 你好\n\n## 试着说\n1. 加字幕\n2. 「换颜色」\n\n最大 80MB",
    )
    assert card.version == "1.0"
    assert (card.greeting, card.examples, card.size_limit_bytes) == ("你好", ("加字幕", "换颜色"), 80 * MB)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("---\nname: a\n", 1, "not closed"),
        ("---\nname: a\ndescription: [1\n---\nBody", 4, "not YAML"),
        ("---\nname: a\nx: 'open\n---\nBody", 4, "not YAML"),
        ("---\nname: a\nx: &a 1\ny: *a\n---\nBody", 4, "aliases are not allowed"),
        ("---\nname: a\nx: !!python/object/apply:os.system [ls]\n---\nBody", 3, "not YAML"),
        ("---\n- a\n- b\n---\nBody", 2, "not a table"),
        ("---\nversion: 1\nname: two words\n---\nBody", 3, "not a name"),
        ('---\nname: "a\\r\\nX-Evil: 1"\n---\nBody', 2, "not a name"),
        ("---\nname: a\nversion: 一\n---\nBody", 3, "not a version"),
        ("---\nname: a\n---\n", 1, "empty"),
        ("---\nname: a\nwhen: 2026-99-99\n---\nBody", 1, "not YAML"),
        ("---\nname: a\nx: " + "[" * 15_000 + "\n---\nBody", 1, "nested too deeply"),
        ("---\nname: a\nx: " + "y" * 20_000 + "\n---\nBody", 1, "too long"),
        ("x" * 300_000, 1, "more than 256 kB"),
        (b"---\nname: a\n\xff\xfe\n---\nBody", 3, "not UTF-8"),
    ],
)
def test_a_card_that_cannot_be_read_is_reported_and_skipped(
    tmp_path: Path, text: str | bytes, line: int, reason: str
) -> None:
    bad = write_card(tmp_path, text, "bad")
    write_card(tmp_path, OTHERS, "good")
    cards = load_cards([tmp_path])
    (problem,) = cards.problems
    assert (problem.path, problem.line) == (bad, line)
    assert reason in problem.reason
    assert str(problem).startswith(f"{bad}:{line}: ")
    assert cards.get("caption-wizard") is not None
    assert len(cards.in_language("en")) == len(BUILT_IN) + 1


def test_a_bad_translation_leaves_the_card(tmp_path: Path) -> None:
    path = write_card(tmp_path, OTHERS)
    path.with_name("SKILL.zh.md").write_text("---\nname: [\n---\n")
    cards = load_cards([tmp_path])
    assert [problem.path.name for problem in cards.problems] == ["SKILL.zh.md"]
    assert cards.get("caption-wizard", "zh") == cards.get("caption-wizard", "en")


def test_folders_that_are_missing_or_odd_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert load_cards([tmp_path, tmp_path / "missing"]).problems == ()


def test_only_so_many_cards_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.skills.cards._MAX_CARDS", 2)
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "SKILL.md").touch()
    assert [path.parent.name for path in _card_files([tmp_path])] == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "line"), [(True, ""), (None, ""), (1.0, "1.0"), (" two\n lines ", "two lines")]
)
def test_a_label_is_a_text_or_a_number(value: object, line: str) -> None:
    assert one_line(value) == line


def test_of_two_cards_of_one_name_the_later_counts(tmp_path: Path) -> None:
    write_card(tmp_path / "a", OTHERS)
    write_card(tmp_path / "b", OTHERS.replace("2.1.3", "3.0.0"))
    card = load_cards([tmp_path / "a", tmp_path / "b"]).get("caption-wizard")
    assert card is not None
    assert card.version == "3.0.0"


@pytest.mark.parametrize(
    ("path", "platform"),
    [
        ("~/.clawhub/skills/x/SKILL.md", "clawhub"),
        ("~/.cursor/skills/x/SKILL.md", "cursor"),
        ("/srv/.cursor/other/SKILL.md", "unknown"),
        ("/srv/skills/x/SKILL.md", "unknown"),
    ],
)
def test_platform_by_path(path: str, platform: str) -> None:
    assert platform_of(Path(path)) == platform


def test_a_card_gives_the_platform_of_its_path_unless_one_is_set(tmp_path: Path) -> None:
    root = tmp_path / ".clawhub"
    write_card(root, OTHERS)
    by_path, by_setting = load_cards([root]), load_cards([root], platform="shop")
    card, other = by_path.get("caption-wizard"), by_setting.get("caption-wizard")
    assert card is not None
    assert other is not None
    assert (card.platform, other.platform) == ("clawhub", "shop")


@pytest.mark.parametrize(
    "unit", ["# ", "> ", "\n", "“", "- ", "1 M", "--- \n", "\n \n", "[", "version:", "Try saying"]
)
def test_hostile_repetition_takes_no_time(tmp_path: Path, unit: str) -> None:
    write_card(tmp_path, "---\nname: a\n---\nBody\n" + unit * (200_000 // len(unit)))
    started_s = time.process_time()
    load_cards([tmp_path])
    assert time.process_time() - started_s < 5


@given(
    st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: f"---\n{t}\n---\nBody".encode()))
)
def test_no_file_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_bytes(content)
    line = 1
    try:
        read_card_file(path)
    except Unreadable as error:
        line = error.line
    assert 1 <= line <= content.count(b"\n") + content.count(b"\r") + 2


def test_a_chat_without_a_choice_has_the_default_and_so_has_one_whose_card_is_gone() -> None:
    cards = load_cards(default="sora-video-generation")
    assert cards.active(None).name == cards.active("gone").name == "sora-video-generation"
    assert cards.active("ai-music-generator-free", "zh").display_name == "原创音乐"
    assert load_cards(default="gone").active("gone too").name in BUILT_IN


def test_a_card_is_found_by_its_name_and_by_what_a_link_can_hold_of_it(tmp_path: Path) -> None:
    odd, long = "odd.name-1", "n" * 64
    write_card(tmp_path, f"---\nname: {odd}\n---\nBody", "a")
    write_card(tmp_path, f"---\nname: {long}\n---\nBody", "b")
    cards = load_cards([tmp_path])
    for name in (odd, long, *BUILT_IN):
        linked = LINK_PREFIX + link_name(name)
        assert len(linked) <= 64
        assert all(c.isascii() and (c.isalnum() or c in "_-") for c in linked)
        assert cards.named(link_name(name)) == cards.named(name) == name
    assert cards.named("odd") is None
    assert cards.named("") is None


def test_a_mark_finds_a_card_and_an_example_in_the_words_that_were_shown(tmp_path: Path) -> None:
    cards = built_in_cards()
    for card in (*cards.in_language("en"), *cards.in_language("zh")):
        assert cards.marked(card_mark(card.name)) == card.name
        for example in card.examples:
            assert cards.example(example_mark(card.name, example)) == example
            assert len(example_mark(card.name, example)) <= 40


def test_the_mark_of_an_example_that_has_changed_finds_nothing(tmp_path: Path) -> None:
    path = write_card(tmp_path, OTHERS)
    mark = example_mark("caption-wizard", "translate the captions")
    assert load_cards([tmp_path]).example(mark) == "translate the captions"
    path.write_text(OTHERS.replace("translate the captions", "delete everything"), encoding="utf-8")
    assert load_cards([tmp_path]).example(mark) is None
    path.unlink()
    assert load_cards([tmp_path]).example(mark) is None
    assert built_in_cards().example("nonsense") is built_in_cards().marked("") is None


def test_a_card_takes_the_kinds_it_names(tmp_path: Path) -> None:
    card = read(tmp_path, OTHERS)
    assert card.restricts_kinds
    assert card.takes("a.MP4")
    assert card.takes("b.jpeg")
    assert card.takes("c.m4v")
    assert not card.takes("d.mp3")
    assert not card.takes("mp4")


def test_a_card_that_only_names_the_best_takes_all_that_nemovideo_takes() -> None:
    card = built_in_cards().active("sora-video-generation")
    assert not card.restricts_kinds
    assert card.file_kinds[:3] == ("png", "jpg", "mp4")
    assert set(card.file_kinds) == set(NEMO_KINDS)


def test_cards_are_found_where_others_install_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_card(tmp_path / ".clawhub", "---\nname: from-clawhub\n---\nBody")
    write_card(tmp_path / ".cursor" / "skills", "---\nname: from-cursor\n---\nBody")
    cards = load_cards(INSTALL_DIRS)
    assert {name: cards.active(name).platform for name in ("from-clawhub", "from-cursor")} == {
        "from-clawhub": "clawhub",
        "from-cursor": "cursor",
    }


def test_a_user_without_a_home_has_the_built_in_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(path: Path) -> Path:
        if str(path).startswith("~"):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(Path, "expanduser", homeless)
    assert {card.name for card in load_cards(INSTALL_DIRS).in_language("en")} == set(BUILT_IN)


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        ("Supported formats: JPG, PNG", ("jpg", "png")),
        ("Supported formats: JPG, PNG images", ("jpg", "png")),
        ("Accepts JPG and PNG pictures as well as videos", ("jpg", "png", *NEMO_KINDS[:5])),
        ("Accepts MP4, MOV for video.\n\nAccepts JPG, PNG for photos.", ("mp4", "mov", "jpg", "png")),
        ("支持格式：MP4、MOV", ("mp4", "mov")),
        ("Works best with TXT, PNG files", ("txt", "png", *(k for k in NEMO_KINDS if k != "png"))),
        (
            "Stick to TXT, PNG for the smoothest experience.",
            ("txt", "png", *(k for k in NEMO_KINDS if k != "png")),
        ),
        ("建议使用TXT、PNG格式以获得最佳体验。", ("txt", "png", *(k for k in NEMO_KINDS if k != "png"))),
        ("Supported image types: JPG, PNG", ("jpg", "png", *NEMO_KINDS[:5], *NEMO_KINDS[9:])),
        ("Supported audio: MP3, WAV", ("mp3", "wav", *NEMO_KINDS[:9])),
        ("支持的图片格式：JPG、PNG", ("jpg", "png", *NEMO_KINDS[:5], *NEMO_KINDS[9:])),
        (
            "Supported image types: JPG, PNG\nSupported video formats: MP4, MOV",
            ("jpg", "png", "mp4", "mov", *NEMO_KINDS[9:]),
        ),
        ("Supported formats: MP4, MOV\nSupported image types: JPG, PNG", ("mp4", "mov", "jpg", "png")),
        ("Supported inputs: HEIC, TXT, PDF, DOCX", NEMO_KINDS),
        ("Supports everything you film", NEMO_KINDS),
        ("Exports in these formats: MP4, GIF", NEMO_KINDS),
    ],
)
def test_which_files_a_card_takes(tmp_path: Path, lines: str, kinds: tuple[str, ...]) -> None:
    assert read(tmp_path, f"---\nname: some\n---\n{lines}\n").kinds == kinds


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        ("Exports of up to 100 MB.", 500),
        ("Uploads and exports: 100 MB at most.", 100),
        ("Rendered videos: 80 MB at most.\nMax file size: 300 MB", 300),
        ("Shrinks a file of 300 MB in size to 24 MB.", 500),
        ("Large files, such as 900 MB, take longer.", 500),
        ("Compress it to fit under 25 MB for a messenger.", 500),
        ("Thumbnails of up to 8 MB", 500),
        ("Up to 10 MB for images, up to 250MB for videos.", 250),
        ("| Max file size | 250MB |", 250),
        ("A 100MB limit applies.", 100),
        ("Files must be under 300 MB.", 300),
        ("Keep each clip below 150MB.", 150),
        ("Videos larger than 400 MB are rejected.", 400),
        ("Maximum upload: 200 megabytes", 200),
        ("Files can be as large as 200MB.", 200),
        ("Max upload size is 1,024 MB.", 1024),
        ("Tamaño máximo: 200 MB", 200),
        ("Max. file size 0.25 GB", 256),
        ("Max. file size 900 GB", 4096),
        ("上传限制 200 兆", 200),
        ("Rate limit: 100 MB per minute", 500),
        ("Storage limit: 10 GB", 500),
        ("Memory limit 512 MB", 500),
        ("最大文件大小为200MB。", 200),
        ("单个文件 150 MB 以内", 150),
    ],
)
def test_only_a_limit_of_uploads_is_the_size_limit(tmp_path: Path, lines: str, limit: int) -> None:
    assert read(tmp_path, f"---\nname: some\n---\n{lines}\n").size_limit_bytes == limit * MB


PUBLISHED = """\
---
name: clip-to-reel
version: "1.0.4"
displayName: "Clip To Reel \u00e2\u20ac\u201d AI"
description: "Turn clips into reels\u00e2\u20ac\u201d\x9dfast, for caf\u00c3\u00a9s.\x00"
metadata: {"openclaw": {"emoji": "\u00f0\u0178\u017d\u00ac", "requires": {"env": ["NEMO_TOKEN"]}}}
---

# Clip to reel

Drop a clip. Large files of 900MB work too, but a reel under 8MB loads faster.

## Usage

Ask for what you want, and wait roughly 20-40 seconds → download your MP4. The backend handles rendering.

## Examples

### Example 1

"Cut this to a 15-second reel with captions"

### Example 2

> User: "Make it vertical and add upbeat music"

## Supported image types

Supported image types: jpg, png, webp.

## Tips and Tricks

Be specific: instead of "make it better", say what should change.

Max file size is 500MB. Stick to MP4, MOV, AVI, WebM for the smoothest experience.

Export as MP4 for widest compatibility.

## API reference

POST /api/render/proxy/lambda with `Authorization: Bearer <NEMO_TOKEN>`.

## FAQ

**Can I use it commercially?** Check the platform's terms.
"""


def test_a_card_as_it_is_published_is_mended_and_read(tmp_path: Path) -> None:
    card = read(tmp_path, PUBLISHED)
    assert (card.display_name, card.emoji) == ("Clip To Reel — AI", "🎬")
    assert card.greeting == ""
    assert card.size_limit_bytes == 500 * MB
    assert card.best_formats == "MP4 / MOV / AVI / WebM"
    assert not card.restricts_kinds
    assert card.examples == (
        "Cut this to a 15-second reel with captions",
        "Make it vertical and add upbeat music",
    )
    assert card.usual_times_s == (20, 40)
    assert card.tips == (
        'Be specific: instead of "make it better", say what should change.',
        "Export as MP4 for widest compatibility.",
    )
    assert card.details == "**FAQ**\n**Can I use it commercially?** Check the platform's terms."


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("Edit videos â€” fast", "Edit videos — fast"),
        ("Edit videos \u00e2\u0080\u0094 fast", "Edit videos — fast"),
        ("ðŸŽ¬ Film", "🎬 Film"),
        ("cafÃ©s", "cafés"),
        ("å¯¼å\u0087ºè§†é¢‘", "导出视频"),
        ("Ã¢â‚¬â€\u009d", "—"),
        ("a\x00b\x1bc\x85d\ufffe", "abcd"),
        ("naïve café, « à la carte\u00a0»", "naïve café, « à la carte\u00a0»"),
        ("CAFÉ… — 导出 🎬", "CAFÉ… — 导出 🎬"),
        ("Straße", "Straße"),
        ("plain\n\ttext", "plain\n\ttext"),
    ],
)
def test_doubly_encoded_text_is_repaired_and_other_text_stays(text: str, repaired: str) -> None:
    assert repair(text) == repaired
    assert repair(repaired) == repaired


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), max_size=80)
)
def test_whatever_was_encoded_twice_comes_back(text: str) -> None:
    """A text that itself looks doubly encoded is the exception."""
    if repair(text) == text:
        twice = text.encode().decode("latin-1")
        assert repair(twice) in (text, twice)


@pytest.mark.parametrize(
    "body",
    [
        "## Examples\n\n### Example\n\n- make it loud\n- make it quiet",
        '### Example\n- - "make it loud"\n- - "make it quiet"',
        "### Example\n\n“make it loud” or “make it quiet”",
        "### Example 1\nmake it loud\n\n### Example 2\nmake it quiet",
        "## Prompts to try\n\n- make it loud\n- make it quiet",
        "For example, this is prose.\n\n## Try saying\n\n1. make it loud\n2. **make it quiet**",
        "## Try saying\n> make it loud\n> make it quiet",
        "Try saying:\n\n```\nmake it loud\nmake it quiet\n```",
        "## Try saying\n| Say | Get |\n|---|---|\n| make it loud | 1 |\n| make it quiet | 2 |",
        "## Prueba a decir\n- [ ] make it loud\n- [x] make it quiet",
        "## 例\r\n\r\n- 「make it loud」\r\n- 「make it quiet」\r\n",
        "### 示例\n\n「make it loud」\n\n### 示例二\n\n「make it quiet」",
    ],
)
def test_examples_are_found_in_every_shape(tmp_path: Path, body: str) -> None:
    assert read(tmp_path, f"---\nname: some\n---\n{body}\n").examples == ("make it loud", "make it quiet")


@pytest.mark.parametrize(
    "body",
    [
        "# A\n## Tips\n- one\n- two\n## FAQ\nIs it? Yes.",
        "A\n===\n\nTips and Tricks\n---------------\n- one\n- two\n\nFAQ\n---\nIs it? Yes.",
        "**A**\n\n**Tips:**\n- one\n- two\n\n__FAQ__\nIs it? Yes.",
        "#A\n##Tips\n- one\n- two\n##常见问题\nIs it? Yes.",
        "# A #\n  ## Tips ##\n- one\n- two\n## FAQ ##\nIs it? Yes.",
        "# A\n## 💡 Consejos\n* [ ] one\n* [x] two\n## Preguntas frecuentes\nIs it? Yes.",
        "# A\n## Tips\n| Tip | Why |\n|:--|--:|\n| one | 1 |\n| two | 2 |\n## FAQ\nIs it? Yes.",
        "# A\n```bash\n# Tips for the shell\ncurl x\n```\n## Tips\n- one\n- two\n\n# FAQ\nIs it? Yes.",
        "# A\r\n\r\n## Tips\r\n- one\r\n- two\r\n\r\n## FAQ\r\nIs it? Yes.\r\n",
        "# A\n## コツ\n- one\n- two\n## よくある質問\nIs it? Yes.",
        "# A\n## 小訣竅\n- one\n- two\n## 常見問題\nIs it? Yes.",
    ],
)
def test_sections_are_found_however_their_headings_are_written(body: str) -> None:
    assert tips(body) == ("one", "two")
    assert details(body).endswith("**\nIs it? Yes.")


@pytest.mark.parametrize(
    ("quote", "greeting"),
    [
        ("> Ready when you are.", "Ready when you are."),
        ("> 把视频发给我", "把视频发给我"),
        ("> ai video editor, free video maker, text to video, reels", ""),
        ("> AI视频、视频剪辑、配乐、字幕", ""),
        ("No quote at all.", ""),
    ],
)
def test_a_greeting_is_a_quote_and_no_list_of_search_words(tmp_path: Path, quote: str, greeting: str) -> None:
    assert read(tmp_path, f"---\nname: some\n---\n{quote}\n").greeting == greeting


@pytest.mark.parametrize(
    ("line", "times_s"),
    [
        ("It usually takes 20 to 40 seconds.", (20, 40)),
        ("ask for a new background, and about 30-60 seconds later you've got a file", (30, 60)),
        ("the backend processes it in about 1-3 minutes and hands you a 1080p MP4", (60, 180)),
        ("上传 → 等待约20-40秒 → 下载MP4", (20, 40)),
        ("Usually takes 30s–90s.", (30, 90)),
        ("Takes between 30 and 60 seconds.", (30, 60)),
        ("Takes 30 seconds to 2 minutes.", (30, 120)),
        ("Tarda de 20 a 40 segundos.", (20, 40)),
        ("通常20〜40秒かかります", (20, 40)),
        ("后端大约在1-3分钟内处理完成", (60, 180)),
        ("Each export job takes 30-90 seconds.", None),
        ("Choose 15-30 seconds for a reel.", None),
        ("It takes 40-20 seconds.", None),
        ("It takes 1-999 minutes.", None),
    ],
)
def test_usual_times_are_those_of_a_request(line: str, times_s: tuple[int, int] | None) -> None:
    assert usual_times_s(line) == times_s
