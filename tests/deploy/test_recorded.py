"""The alert rules over what real processes showed during outages; ``record.py`` recorded it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.record import BEFORE, EVERY_S, OUTAGES, RECORDED
from tests.deploy.test_monitoring import ALERTS

WITHIN_S = 300

FIRING: dict[str, set[str]] = {
    "nothing": set(),
    "telegram_hangs": {"NemovideoNobodyPolls"},
    "telegram_cut_off": {"NemovideoNobodyPolls"},
    "webhook_idle_nothing": set(),
    "webhook_idle_telegram_cut_off": {"NemovideoNobodyPolls", "NemovideoTelegramUnreachable"},
    "webhook_idle_store_dead": {"NemovideoNoWorker"},
}
"""Which alerts fire within five minutes of each outage."""


def test_every_outage_was_recorded() -> None:
    assert {file.stem for file in RECORDED.glob("*.json")} == OUTAGES.keys() == FIRING.keys()


@pytest.mark.parametrize("outage", FIRING)
def test_an_outage_fires_its_alerts_within_five_minutes_and_no_others(tmp_path: Path, outage: str) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not here")
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(ALERTS), "utf-8")
    series = json.loads((RECORDED / f"{outage}.json").read_text("utf-8"))
    checks = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{at_s}s",
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
        }
        for at_s, names in (
            (BEFORE * EVERY_S - EVERY_S, set[str]()),
            (BEFORE * EVERY_S + WITHIN_S, FIRING[outage]),
        )
    ]
    told = {
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": f"{EVERY_S}s",
        "tests": [
            {
                "interval": f"{EVERY_S}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": checks,
            }
        ],
    }
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(told), "utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
