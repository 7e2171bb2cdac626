"""Each alert rule with figures at which it fires, and with some at which it does not."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.deploy.promql import Figures, Series
from tests.deploy.test_monitoring import ALERTS, MONITORING, alerts


class Case(NamedTuple):
    """What happens, whether the rule fires at the end of it, and the figures, one a minute."""

    what: str
    fires: bool
    figures: Series


def waits(fast: str, slow: str, priority: str = "answer") -> Series:
    """How many waited up to 15 s, and how many longer."""
    name = "nemovideo_send_wait_seconds_bucket"
    return {
        f'{name}{{priority="{priority}",le="{le}"}}': count
        for le, count in (("5", fast), ("15", fast), ("30", slow), ("+Inf", slow))
    }


def lags(short: str, long: str) -> Series:
    """How often the loop lagged up to half a second, and how often longer."""
    name = "nemovideo_event_loop_lag_seconds_bucket"
    return {
        f'{name}{{instance="a",le="{le}"}}': count
        for le, count in (("0.1", short), ("0.5", short), ("1", long), ("+Inf", long))
    }


def jobs(done: str, failed: str) -> Series:
    return {
        'nemovideo_jobs_total{kind="edit",outcome="done"}': done,
        'nemovideo_jobs_total{kind="edit",outcome="failed"}': failed,
    }


def taps(done: str) -> Series:
    """Jobs that are no edits: answers to presses and questions."""
    return {'nemovideo_jobs_total{kind="message",outcome="done"}': done}


def sends(ok: str, lost: str) -> Series:
    return {
        f'nemovideo_sends_total{{priority="answer",outcome="{outcome}"}}': count
        for outcome, count in (("ok", ok), ("lost", lost))
    }


STARTED = "process_start_time_seconds"


def processes(first: str, second: str, name: str = "up") -> Series:
    return {
        f'{name}{{job="nemovideo-bot",instance="a"}}': first,
        f'{name}{{job="nemovideo-bot",instance="b"}}': second,
    }


def polling(first: str, second: str) -> Series:
    return processes(first, second, "nemovideo_polling")


CASES: dict[str, list[Case]] = {
    "NemovideoBotDown": [
        Case("one of two is gone", True, processes("1+0x10", "1+0x5 0+0x4")),
        Case("nothing was ever there", True, {}),
        Case("all answer", False, processes("1+0x10", "1+0x10")),
        Case("one was restarted", False, processes("1+0x10", "1+0x5 0 1+0x3")),
        Case(
            "another program is gone", False, {**processes("1+0x10", "1+0x10"), 'up{job="other"}': "0+0x10"}
        ),
    ],
    "NemovideoNobodyPolls": [
        Case("the one that polled is gone, nobody took over", True, polling("1+0x5 0+0x4", "0+0x10")),
        Case("a standby took over", False, polling("1+0x5 0+0x4", "0+0x5 1+0x4")),
        Case("a webhook", False, polling("0+0x10", "0+0x10")),
    ],
    "NemovideoAnotherPoller": [
        Case("another program polls", True, {'nemovideo_polls_total{outcome="conflict"}': "0+0x5 0+2x5"}),
        Case("it polled once", False, {'nemovideo_polls_total{outcome="conflict"}': "0+0x5 1+0x5"}),
        Case("Telegram is away", False, {'nemovideo_polls_total{outcome="failed"}': "0+0x5 0+4x5"}),
    ],
    "NemovideoTelegramUnreachable": [
        Case("every call is lost", True, sends("50+0x10", "0+0x5 0+2x5")),
        Case("one in ten is", False, sends("0+9x10", "0+1x10")),
        Case("nothing is sent", False, sends("9+0x10", "3+0x10")),
    ],
    "NemovideoNoWorker": [
        Case("intake alone", True, processes("0+0x5", "0+0x5", "nemovideo_worker")),
        Case("the worker's pods are gone", True, processes("0+0x10", "1+0x2 _x8", "nemovideo_worker")),
        Case("one is replaced", False, processes("0+0x10", "1+0x5 0 1+0x3", "nemovideo_worker")),
    ],
    "NemovideoRestartsInALoop": [
        Case("every 90 s", True, processes("9+0x5", "1 1 2 3 3 4", STARTED)),
        Case("two upgrades in ten minutes", False, processes("9+0x10", "1+0x4 2+0x4 3+0x2", STARTED)),
    ],
    "NemovideoSweepIsSlow": [
        Case("a slow store", True, {"nemovideo_sweep_seconds": "1 25+0x4"}),
        Case("one that was slow", False, {"nemovideo_sweep_seconds": "1 25 1+0x4"}),
    ],
    "NemovideoAllJobsFail": [
        Case("each of 30 an hour", True, jobs("10+0x10", "0+0x4 0 0 1 1 2 2 3")),
        Case(
            "each, beside presses and questions", True, {**jobs("10+0x10", "0+0x5 0+1x5"), **taps("0+3x10")}
        ),
        Case("every second one", False, jobs("0+1x10", "0+1x10")),
        Case("one", False, jobs("10+0x10", "0+0x5 1+0x5")),
    ],
    "NemovideoCreditsGone": [
        Case("request after request", True, {'nemovideo_errors_total{code="2001"}': "0+0x5 0+1x3"}),
        Case("another error", False, {'nemovideo_errors_total{code="401"}': "0+1x10"}),
    ],
    "NemovideoCreditsLow": [
        Case(
            "less than yesterday took",
            True,
            {"nemovideo_credits_left": "900-100x9", "nemovideo_credits_today": "800+0x3 0+0x6"},
        ),
        Case(
            "enough", False, {"nemovideo_credits_left": "900+0x9", "nemovideo_credits_today": "800+0x3 0+0x6"}
        ),
        Case("only guests", False, {"nemovideo_credits_left": "NaN+0x9", "nemovideo_credits_today": "0+0x9"}),
    ],
    "NemovideoUpdatesFail": [
        Case("the store is dead", True, {'nemovideo_updates_total{outcome="not_stored"}': "0+0x3 0+2x5"}),
        Case("every minute one", True, {'nemovideo_updates_total{outcome="failed"}': "0+1x15"}),
        Case("one, and no more", False, {'nemovideo_updates_total{outcome="failed"}': "0+0x5 1+0x15"}),
        Case("others are stored", False, {'nemovideo_updates_total{outcome="stored"}': "0+50x15"}),
    ],
    "NemovideoQueueIsOld": [
        Case("an edit waits and waits", True, {"nemovideo_queue_oldest_seconds": "0+60x9"}),
        Case("it began after six minutes", False, {"nemovideo_queue_oldest_seconds": "0+60x6 0+0x5"}),
        Case("all wait for less", False, {"nemovideo_queue_oldest_seconds": "200+0x30"}),
    ],
    "NemovideoJobHangs": [
        Case("one runs for ever", True, {"nemovideo_job_oldest_seconds": "7000+60x20"}),
        Case("long, but it ended", False, {"nemovideo_job_oldest_seconds": "7000+60x6 30+60x5"}),
    ],
    "NemovideoJobIsSilent": [
        Case("one saves nothing any more", True, {"nemovideo_job_silent_seconds": "5000+60x20"}),
        Case("a long render", False, {"nemovideo_job_silent_seconds": "0+60x60 0+60x20"}),
    ],
    "NemovideoJobsFail": [
        Case("every second one", True, jobs("0+1x40", "0+1x40")),
        Case("one in ten", False, jobs("0+9x40", "0+1x40")),
        Case("all of hardly any", False, jobs("0+0x40", "0+0.2x40")),
        Case("none at all", False, jobs("5+0x40", "5+0x40")),
    ],
    "NemovideoTokenRefused": [
        Case("again and again", True, {'nemovideo_errors_total{code="401"}': "0+1x10"}),
        Case("one that somebody mistyped", False, {'nemovideo_errors_total{code="1001"}': "0+0x5 1+0x10"}),
        Case("another error", False, {'nemovideo_errors_total{code="2001"}': "0+5x10"}),
    ],
    "NemovideoGuestAccountsRunOut": [
        Case("one is left", True, {"nemovideo_guest_tokens_left": "3 2 1+0x8"}),
        Case("two are left", False, {"nemovideo_guest_tokens_left": "3 2+0x10"}),
    ],
    "NemovideoAnswersWait": [
        Case("one in ten for long", True, waits("0+9x40", "0+10x40")),
        Case("one in a hundred for long", False, waits("0+99x40", "0+100x40")),
        Case("edits of progress messages", False, waits("0+1x40", "0+10x40", "edit")),
        Case("nothing is sent", False, waits("7+0x40", "9+0x40")),
    ],
    "NemovideoDecodersDie": [
        Case("again and again", True, {"nemovideo_decoders_died_total": "0+0x5 0+1x10"}),
        Case("two in an hour", False, {"nemovideo_decoders_died_total": "0+0x20 1+0x20 2+0x30"}),
    ],
    "NemovideoEventLoopLags": [
        Case("one look in ten", True, lags("0+90x40", "0+100x40")),
        Case("one look in a thousand", False, lags("0+999x40", "0+1000x40")),
    ],
}

EVERY = [
    pytest.param(name, case, id=f"{name}: {case.what}") for name, cases in CASES.items() for case in cases
]


def test_every_rule_has_figures_that_fire_it_and_others_that_do_not() -> None:
    assert CASES.keys() == {rule["alert"] for rule in alerts()}
    for name, cases in CASES.items():
        assert {case.fires for case in cases} == {True, False}, name


@pytest.mark.parametrize(("name", "case"), EVERY)
def test_a_rule_fires_when_it_should(name: str, case: Case) -> None:
    (rule,) = [rule for rule in alerts() if rule["alert"] == name]
    assert Figures(case.figures).fires(rule["expr"], seconds(rule.get("for", "0s"))) is case.fires


@pytest.mark.heavy
def test_prometheus_says_the_same(tmp_path: Path) -> None:
    if not (promtool := shutil.which("promtool")):
        pytest.skip("promtool is not here")
    (tmp_path / "alerts.yaml").write_text(yaml.safe_dump(ALERTS), "utf-8")
    tests = [promtool_test(name, case) for name, cases in CASES.items() for case in cases]
    told = {"rule_files": ["alerts.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(told), "utf-8")

    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for what, path in (("rules", "alerts"), ("config", "prometheus"), ("config", "compose/prometheus")):
        subprocess.run(
            [promtool, "check", what, str(MONITORING / f"{path}.yaml")], check=True, capture_output=True
        )


def promtool_test(name: str, case: Case) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) > bool 0 or vector(0)'
    return {
        "name": f"{name}: {case.what}",
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.figures.items()],
        "promql_expr_test": [
            {
                "expr": firing,
                "eval_time": f"{Figures(case.figures).end_s():.0f}s",
                "exp_samples": [{"labels": "{}", "value": int(case.fires)}],
            }
        ],
    }


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
