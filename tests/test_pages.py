"""The pages keep to the code: maps, links, paths, settings, metrics and log events that they name exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.runtime import metrics
from bot.settings import Settings
from tests import module_map

ROOT = Path(__file__).parents[1]

PAGES = sorted(
    [ROOT / "README.md"]
    + [path for folder in ("bot", "deploy", "tests") for path in (ROOT / folder).rglob("README.md")]
)

NOT_OURS = {"REPOSITORY", "REGISTRY", "VALKEY_PASSWORD", "ID", "NAME", "FILE", "DIR", "README", "TXT"} | {
    "HTTPS_PROXY",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "ALL_PROXY",
    "NO_PROXY",
}
"""Words in capitals that are no settings of the bot."""

EXAMPLES = {"de/LC_MESSAGES/bot.po", "de/screen_talk.toml"}
"""Files that a reader is told to make."""

EVENT = re.compile(r"`((?:intake|job|skills|store|polling|receiver|send|worker)\.[a-z_]+)`")


def ids(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_of(page: Path) -> Iterator[str]:
    """Yield the text of a page's inline code."""
    without_blocks = re.sub(r"(?ms)^```.*?^```$", "", page.read_text("utf-8"))
    yield from re.findall(r"`([^`\n]+)`", without_blocks)


@pytest.mark.parametrize("page", module_map.PAGES, ids=ids)
def test_the_module_map_is_up_to_date(page: Path) -> None:
    assert page.read_text("utf-8") == module_map.with_map(page), "run: uv run python -m tests.module_map"


@pytest.mark.parametrize("page", module_map.PAGES, ids=ids)
def test_every_module_has_a_first_line_of_its_own(page: Path) -> None:
    lines = [module_map.summary(path) for path in module_map.modules(page)]
    assert all(len(line) > 10 for line in lines)
    assert len(set(lines)) == len(lines)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"(?m)^#+ (.+)$", linked.read_text("utf-8"))
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_paths_that_are_named_exist(page: Path) -> None:
    for code in code_of(page):
        if re.fullmatch(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|yaml|md|toml|po|lua|json)", code):
            bases = (page.parent, ROOT, ROOT / "bot")
            assert code in EXAMPLES or any((base / code).exists() for base in bases), code


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_settings_metrics_and_log_events_that_are_named_exist(page: Path) -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "bot").rglob("*.py"))
    metric_names = set(re.findall(r'"(nemovideo_\w+)"', Path(metrics.__file__).read_text("utf-8")))
    events = set(EVENT.findall(page.read_text("utf-8")))
    assert {event for event in events if f'"{event}"' not in source} == set()
    for code in code_of(page):
        if re.fullmatch(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+=?", code):
            name = code.rstrip("=")
            assert name.lower() in Settings.model_fields or name in NOT_OURS, code
        if re.fullmatch(r"nemovideo_\w+", code):
            assert code in metric_names, code


def test_log_events_that_the_alerts_name_exist() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "bot").rglob("*.py"))
    events = re.findall(
        r"([a-z_]+\.[a-z_]+) in the log", (ROOT / "deploy/monitoring/alerts.yaml").read_text("utf-8")
    )
    assert events
    assert {event for event in events if f'"{event}"' not in source} == set()


def test_a_summary_is_the_first_line_in_markdown(tmp_path: Path) -> None:
    module = tmp_path / "any.py"
    module.write_text('"""Ask ``one|two`` by :func:`render`.\n\nMore.\n"""\n', "utf-8")
    assert module_map.summary(module) == "Ask `one\\|two` by `render`."
    module.write_text("x = 1\n", "utf-8")
    assert module_map.summary(module) == ""
