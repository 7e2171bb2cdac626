"""Dashboard and alerts: every query is PromQL, and asks for figures and labels that the bot gives."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import promql_parser as promql
import pytest
import yaml
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from bot.jobs.model import JobKind, QueueName
from bot.nemo.errors import BY_CODE
from bot.runtime import metrics
from bot.sandbox.samples import make_video
from tests.interruptions.world import open_world, until

MONITORING = Path(__file__).parents[2] / "deploy/monitoring"
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text("utf-8"))
ALERTS = yaml.safe_load((MONITORING / "alerts.yaml").read_text("utf-8"))

OF_PROMETHEUS = {"up"}
"""Made by Prometheus itself for each scrape."""

OF_ANY_SCRAPE = {"job", "instance"}
"""Labels that Prometheus adds."""

SUFFIXES = {Counter: ("_total",), Gauge: ("",), Histogram: ("_bucket", "_sum", "_count")}


def variables_filled(query: str) -> str:
    """A query as Grafana sends it."""
    return query.replace("$__rate_interval", "5m").replace("$job", ".+")


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


QUERIES = {
    **{f"alert {rule['alert']}": rule["expr"] for rule in alerts()},
    **{
        f"panel {panel['title']} {target['refId']}": variables_filled(target["expr"])
        for panel in panels()
        for target in panel["targets"]
    },
}


@dataclass(frozen=True)
class Asked:
    """What a query asks for: figures with the labels it selects by, and labels that it groups by."""

    selected: dict[str, dict[str, str]]
    grouped: set[str]


def asked(query: str) -> Asked:
    selected: dict[str, dict[str, str]] = {}
    grouped: set[str] = set()

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            assert node.name is not None, query
            labels = selected.setdefault(node.name, {})
            labels.update({matcher.name: matcher.value for matcher in node.matchers.matchers})
        elif isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            grouped.update(node.modifier.labels)

    promql.walk(promql.parse(query), visit)
    return Asked(selected, grouped)


def told_by_the_code() -> dict[str, set[str]]:
    """Every sample's name, with its labels."""
    told: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            (family,) = metric.describe()
            for suffix in SUFFIXES[type(metric)]:
                labels = {*metric._labelnames, *(["le"] if suffix == "_bucket" else [])}
                told[family.name + suffix] = labels
    for family in REGISTRY.collect():
        if family.name.startswith("process_"):
            told.update({sample.name: set(sample.labels) for sample in family.samples})
    return told


def expect_told(query: str, told: Mapping[str, set[str]]) -> None:
    wants = asked(query)
    assert wants.selected, query
    for name, labels in wants.selected.items():
        assert name in OF_PROMETHEUS or name in told, name
        assert set(labels) <= told.get(name, set()) | OF_ANY_SCRAPE, name
    for name in wants.selected:
        assert wants.grouped <= told.get(name, set()) | OF_ANY_SCRAPE, name


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_what_the_code_gives(name: str) -> None:
    expect_told(QUERIES[name], told_by_the_code())


@pytest.mark.parametrize(
    "query",
    ["nemovideo_gone", 'nemovideo_jobs_total{color="red"}', "sum by (color) (nemovideo_jobs_total)", "up{"],
)
def test_a_query_for_what_nobody_gives_would_be_found(query: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        expect_told(query, told_by_the_code())


def test_labels_selected_by_have_values_that_occur() -> None:
    values: dict[str, set[str]] = {
        "outcome": {"failed", "not_stored", "done", "conflict", "lost"},
        "kind": set(JobKind),
        "queue": set(QueueName),
        "priority": {"answer"},
        "code": {str(code) for code in BY_CODE},
        "job": {"nemovideo-bot", ".+"},
    }
    for query in QUERIES.values():
        for labels in asked(query).selected.values():
            for label, value in labels.items():
                assert {value, *value.split("|")} & values[label], query
                assert set(value.split("|")) <= values[label], query


async def test_a_running_bot_gives_all_that_is_asked_for(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 1.0, 64, 48, 12)
    async with open_world(tmp_path, clip) as world, httpx.AsyncClient(trust_env=False) as http:
        world.bots.start(HTTP_LISTEN="127.0.0.1:0")
        await world.prompt()
        await world.videos()
        await world.at_rest()
        listens = re.search(r"http://127\.0\.0\.1:[1-9]\d*", world.bots.tell())
        assert listens, world.bots.tell()

        async def job_is_counted() -> bool:
            text = (await http.get(f"{listens[0]}/metrics")).text
            return 'nemovideo_jobs_total{kind="edit",outcome="done"} 1.0' in text

        await until(job_is_counted)
        text = (await http.get(f"{listens[0]}/metrics")).text
        assert re.search(r'^nemovideo_person_requests_today\{person="[0-9a-f]{12}"\} 1\.0$', text, re.M)
        assert str(world.ada.id) not in text

    given: dict[str, set[str]] = {}
    families = set()
    for family in text_string_to_metric_families(text):
        families.add(family.name)
        for sample in family.samples:
            given.setdefault(sample.name, set()).update(sample.labels)
    for query in QUERIES.values():
        wants = asked(query)
        for name, labels in wants.selected.items():
            if name in OF_PROMETHEUS:
                continue
            if name == "nemovideo_errors_total":  # no error came, so no line did
                assert "nemovideo_errors" in families
                continue
            assert {*labels, *wants.grouped} <= given[name] | OF_ANY_SCRAPE, query


def test_every_figure_of_the_bot_is_on_the_dashboard() -> None:
    shown = {
        name for key, query in QUERIES.items() if key.startswith("panel") for name in asked(query).selected
    }
    ours = {name for name in told_by_the_code() if name.startswith("nemovideo_")}
    assert {name for name in ours if not name.endswith(("_sum", "_count"))} <= shown


def test_every_panel_can_be_shown() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & places, f"{panel['title']} lies on another"
        places |= cells
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels())
    assert variables == {"datasource", "job"}
    for variable in DASHBOARD["templating"]["list"]:
        for name in re.findall(r"label_values\((\w+),", variable.get("definition", "")):
            assert name in told_by_the_code()


def test_every_alert_says_what_is_wrong() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith((".", "?"))
        page, _, section = rule["annotations"]["runbook"].partition("#")
        headings = re.findall(r"^## (\w+)$", (MONITORING.parents[1] / page).read_text("utf-8"), re.MULTILINE)
        assert section in [heading.lower() for heading in headings]
    scrape = yaml.safe_load((MONITORING / "prometheus.yaml").read_text("utf-8"))
    assert scrape["rule_files"] == ["alerts.yaml"]
    assert [job["job_name"] for job in scrape["scrape_configs"]] == ["nemovideo-bot"]


def test_alerts_name_settings_and_figures_that_exist() -> None:
    text = (MONITORING / "alerts.yaml").read_text("utf-8")
    for name in re.findall(r"\bnemovideo_[a-z_]+", text):
        assert name in told_by_the_code()
