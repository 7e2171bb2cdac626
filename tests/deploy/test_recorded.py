"""The alert rules over what real processes showed during outages; ``record.py`` recorded it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.deploy.record import BEFORE, EVERY_S, OUTAGES, READY, RECORDED
from tests.deploy.test_monitoring import ALERTS

WITHIN_S = 300
LAST_BEFORE = BEFORE - 1
LAST_WITHIN = LAST_BEFORE + WITHIN_S // EVERY_S


class Outage(NamedTuple):
    """What an outage leads to within five minutes; a process that does not answer is ``_``, or nothing any more.

    Attributes:
        fires: The alerts.
        ready: The status of ``/readyz`` by process.
        polling: ``nemovideo_polling`` by process.
    """

    fires: set[str]
    ready: dict[str, str]
    polling: dict[str, str]


WELL = Outage(set(), {"bot": "200"}, {"bot": "1"})
TWO_ROLES = Outage(set(), {"intake": "200", "worker": "200"}, {"intake": "1", "worker": "0"})
DEAF = {"bot": "503"}, {"bot": "0"}

LEADS_TO: dict[str, Outage] = {
    "nothing": WELL,
    "telegram_hangs": Outage({"NemovideoNobodyPolls"}, *DEAF),
    "telegram_cut_off": Outage({"NemovideoNobodyPolls"}, *DEAF),
    "another_poller": Outage({"NemovideoAnotherPoller", "NemovideoNobodyPolls"}, *DEAF),
    "restart_loop": Outage({"NemovideoRestartsInALoop"}, {"bot": "200"}, {"bot": "1"}),
    "upgrade": TWO_ROLES,
    "no_worker": Outage(
        {"NemovideoNoWorker"}, {"intake": "200", "worker": "_"}, {"intake": "1", "worker": "_"}
    ),
    "gone_pods": Outage({"NemovideoBotDown"}, {"intake": "_", "worker": "_"}, {"intake": "_", "worker": "_"}),
    "webhook_idle_nothing": WELL,
    # It is ready all the same: it stores what Telegram delivers.
    "webhook_idle_telegram_cut_off": Outage({"NemovideoNobodyPolls"}, {"bot": "200"}, {"bot": "0"}),
    # Telegram does answer, and has nothing to deliver.
    "webhook_idle_store_dead": Outage({"NemovideoNoWorker"}, {"bot": "503"}, {"bot": "1"}),
}


def series_of(outage: str) -> dict[str, str]:
    """What was recorded, by the names of the series."""
    recorded: dict[str, str] = json.loads((RECORDED / f"{outage}.json").read_text("utf-8"))
    return recorded


def at(outage: str, scrape: int) -> tuple[dict[str, str], dict[str, str]]:
    """Who was ready at a scrape, and who polled."""
    values = {name: of.split()[scrape] for name, of in series_of(outage).items()}
    names = LEADS_TO[outage].ready
    polling = {name: f'nemovideo_polling{{instance="{name}",job="nemovideo-bot"}}' for name in names}
    return {name: values[f"{READY} {name}"] for name in names}, {
        name: values[series] for name, series in polling.items()
    }


def test_every_outage_was_recorded() -> None:
    assert {file.stem for file in RECORDED.glob("*.json")} == OUTAGES.keys() == LEADS_TO.keys()


@pytest.mark.parametrize("outage", LEADS_TO)
def test_readiness_and_polling_tell_what_is(outage: str) -> None:
    well = TWO_ROLES if "intake" in LEADS_TO[outage].ready else WELL
    assert at(outage, LAST_BEFORE) == (well.ready, well.polling)
    assert at(outage, LAST_WITHIN) == (LEADS_TO[outage].ready, LEADS_TO[outage].polling)


@pytest.mark.parametrize("outage", LEADS_TO)
def test_an_outage_fires_its_alerts_within_five_minutes_and_no_others(tmp_path: Path, outage: str) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not here")
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(ALERTS), "utf-8")
    series = {name: of for name, of in series_of(outage).items() if not name.startswith(READY)}
    checks = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{at_s}s",
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
        }
        for at_s, names in (
            (LAST_BEFORE * EVERY_S, set[str]()),
            (LAST_WITHIN * EVERY_S, LEADS_TO[outage].fires),
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
