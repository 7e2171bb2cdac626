"""Names as Prometheus wants them, and labels that can't grow."""

import re

from prometheus_client import REGISTRY

from bot.runtime import metrics

OURS = [family for family in REGISTRY.collect() if family.name.startswith("nemovideo_")]
UNITS = ("_seconds", "_bytes")
BOUNDED = {"outcome", "kind", "step", "code", "urgency", "le", "quantile"}


def test_every_figure_has_a_standard_name_and_says_what_it_is() -> None:
    assert len(OURS) > 15
    for family in OURS:
        assert re.fullmatch(r"nemovideo_[a-z_]+", family.name)
        assert family.documentation.endswith((".", ";"))
        if family.type == "histogram":
            assert family.name.endswith(UNITS), family.name


def test_labels_come_from_small_sets() -> None:
    metrics.UPDATES.labels("stored").inc(0)
    for family in OURS:
        for sample in family.samples:
            assert set(sample.labels) <= BOUNDED, sample


def test_counters_end_in_total() -> None:
    told = metrics.render().decode()
    assert "nemovideo_updates_total{" in told
    assert "nemovideo_upload_bytes_total " in told
