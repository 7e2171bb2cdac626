"""Names by Prometheus's conventions, and bounded labels."""

import asyncio
import re
import time

import pytest
from prometheus_client import REGISTRY

from bot.runtime import metrics
from tests.clocks import eventually

OURS = [family for family in REGISTRY.collect() if family.name.startswith("nemovideo_")]
UNITS = ("_seconds", "_bytes")
BOUNDED = {"outcome", "kind", "step", "code", "priority", "le", "quantile"}


def test_every_metric_has_a_conventional_name_and_a_help_text() -> None:
    assert len(OURS) > 15
    for family in OURS:
        assert re.fullmatch(r"nemovideo_[a-z_]+", family.name)
        assert family.documentation.endswith((".", ";"))
        if family.type == "histogram":
            assert family.name.endswith(UNITS), family.name


def test_labels_are_bounded() -> None:
    metrics.UPDATES.labels("stored").inc(0)
    for family in OURS:
        for sample in family.samples:
            assert set(sample.labels) <= BOUNDED, sample


async def test_the_loops_lag_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_wakes() -> float:
        wakes = REGISTRY.get_sample_value("nemovideo_event_loop_lag_seconds_count") or 0.0
        return wakes - (
            REGISTRY.get_sample_value("nemovideo_event_loop_lag_seconds_bucket", {"le": "0.05"}) or 0.0
        )

    monkeypatch.setattr(metrics, "LAG_INTERVAL_S", 0.01)
    before = slow_wakes()
    measuring = asyncio.create_task(metrics.measure_loop_lag())
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251 - blocks the loop on purpose
    await eventually(lambda: slow_wakes() > before)
    measuring.cancel()


def test_counters_end_in_total() -> None:
    metrics.UPDATES.labels("received")  # What nothing was counted of is not shown.
    text = metrics.render().decode()
    assert "nemovideo_updates_total{" in text
    assert "nemovideo_upload_bytes_total " in text
