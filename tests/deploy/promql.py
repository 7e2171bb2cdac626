"""As much of PromQL as the alert rules use, over series that a test writes down; held against promtool."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import promql_parser as promql

MINUTE_S = 60.0
LOOKBACK_S = 300.0
NEAR_AN_EDGE = 1.1
"""Of the distance between samples: so close to the edge of a range, a series is taken to fill it."""

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Samples = list[tuple[float, float]]
Series = Mapping[str, str]
"""Values of each series, one a minute, as promtool writes them: ``{"up{job=\\"a\\"}": "1+0x5 0 _x2 0+2x3"}``."""

_AGGREGATE: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
_COMPARE: dict[str, Callable[[float, float], bool]] = {">": operator.gt, "<": operator.lt, "==": operator.eq}


class Figures:
    """Series, and what queries find in them.

    Args:
        series: They.
    """

    def __init__(self, series: Series) -> None:
        self._all: list[tuple[str, dict[str, str], Samples]] = []
        for name, values in series.items():
            selector = promql.parse(name)
            assert isinstance(selector, promql.VectorSelector)
            labels = {one.name: one.value for one in selector.matchers.matchers}
            self._all.append((str(selector.name), labels, _samples(values)))

    def end_s(self) -> float:
        """When the last sample was taken."""
        return max((samples[-1][0] for _, _, samples in self._all if samples), default=30 * MINUTE_S)

    def fires(self, expr: str, for_s: float) -> bool:
        """Return whether a rule fires at the end, when it is looked at every minute."""
        query = promql.parse(expr)
        since: dict[Labels, float] = {}
        at_s, found = 0.0, Vector()
        while at_s <= self.end_s():
            found = self.find(query, at_s)
            since = {labels: since.get(labels, at_s) for labels in found}
            at_s += MINUTE_S
        return any(at_s - MINUTE_S - began_s >= for_s for began_s in since.values())

    def find(self, query: Any, at_s: float) -> Any:
        """What a query finds at a moment: a number, or one for each set of labels."""
        match query:
            case promql.NumberLiteral():
                return query.val
            case promql.ParenExpr():
                return self.find(query.expr, at_s)
            case promql.VectorSelector():
                recent = self._range(query, at_s, LOOKBACK_S)
                return {labels: samples[-1][1] for labels, samples in recent.items()}
            case promql.AggregateExpr():
                assert query.modifier is None or query.modifier.type == promql.AggModifierType.By
                by = query.modifier.labels if query.modifier else ()
                groups: dict[Labels, list[float]] = {}
                for labels, value in self.find(query.expr, at_s).items():
                    groups.setdefault(frozenset(one for one in labels if one[0] in by), []).append(value)
                return {labels: _AGGREGATE[str(query.op)](values) for labels, values in groups.items()}
            case promql.BinaryExpr():
                return _combine(str(query.op), self.find(query.lhs, at_s), self.find(query.rhs, at_s))
            case promql.Call():
                return self._call(query.func.name, query.args, at_s)
        raise NotImplementedError(type(query))

    def _call(self, name: str, args: Any, at_s: float) -> Vector:
        if name == "absent":
            matchers = args[0].matchers.matchers
            return {} if self.find(args[0], at_s) else {frozenset((m.name, m.value) for m in matchers): 1.0}
        if name == "histogram_quantile":
            return _quantile(self.find(args[0], at_s), self.find(args[1], at_s))
        range_s = args[0].range.total_seconds()
        found = self._range(args[0].vector_selector, at_s, range_s)
        if name == "max_over_time":
            return {labels: max(value for _, value in samples) for labels, samples in found.items()}
        if name == "changes":
            return {
                labels: float(sum(before != after for (_, before), (_, after) in pairwise(samples)))
                for labels, samples in found.items()
            }
        per_s = {"rate": range_s, "increase": 1.0}[name]
        return {
            labels: _increase(samples, at_s, range_s) / per_s
            for labels, samples in found.items()
            if len(samples) > 1
        }

    def _range(self, selector: Any, at_s: float, range_s: float) -> dict[Labels, Samples]:
        found = {}
        for name, labels, samples in self._all:
            chosen = [one for one in samples if at_s - range_s < one[0] <= at_s]
            if name == selector.name and chosen and _fits(labels, selector.matchers.matchers):
                found[frozenset(labels.items())] = chosen
        return found


def _samples(values: str) -> Samples:
    listed: list[float | None] = []
    for part in values.split():
        begin, step, count = re.fullmatch(r"(_|NaN|[\d.]+)(?:\+?(-?[\d.]+))?(?:x(\d+))?", part).groups()  # type: ignore[union-attr]
        if begin == "_":
            listed += [None] * int(count or 1)
        else:
            listed += [float(begin) + number * float(step or 0) for number in range(int(count or 0) + 1)]
    return [(number * MINUTE_S, value) for number, value in enumerate(listed) if value is not None]


def _fits(labels: Mapping[str, str], matchers: Any) -> bool:
    for one in matchers:
        value = labels.get(one.name, "")
        if one.op == promql.MatchOp.Equal:
            fits = value == one.value
        else:
            assert one.op == promql.MatchOp.Re
            fits = re.fullmatch(one.value, value) is not None
        if not fits:
            return False
    return True


def _combine(op: str, left: Any, right: Any) -> Vector:
    if op == "and":
        return {labels: value for labels, value in left.items() if labels in right}
    if op == "or":
        return {**right, **left}
    others: Mapping[Labels, float] = right if isinstance(right, dict) else dict.fromkeys(left, right)
    both = [(labels, value, others[labels]) for labels, value in left.items() if labels in others]
    if op == "/":
        return {labels: value / other if other else float("nan") for labels, value, other in both}
    return {labels: value for labels, value, other in both if _COMPARE[op](value, other)}


def _increase(samples: Samples, at_s: float, range_s: float) -> float:
    """By how much a counter grew, with its restarts, drawn out to the edges of the range."""
    (first_s, first), (last_s, _) = samples[0], samples[-1]
    grown = sum(after - before if after >= before else after for (_, before), (_, after) in pairwise(samples))
    seen_s = last_s - first_s
    between_s = seen_s / (len(samples) - 1)
    before_s = first_s - (at_s - range_s)
    if before_s > between_s * NEAR_AN_EDGE:
        before_s = between_s / 2
    if grown > 0:  # no counter was ever below 0
        before_s = min(before_s, seen_s * first / grown)
    after_s = at_s - last_s if at_s - last_s <= between_s * NEAR_AN_EDGE else between_s / 2
    return grown * (seen_s + before_s + after_s) / seen_s


def _quantile(share: float, buckets: Vector) -> Vector:
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        rest = frozenset(one for one in labels if one[0] != "le")
        histograms.setdefault(rest, []).append((float(dict(labels)["le"]), count))
    found = {}
    for labels, bounds in histograms.items():
        bounds.sort()
        wanted = share * bounds[-1][1]
        low = below = 0.0
        for high, count in bounds:
            if count >= wanted and count > 0:
                found[labels] = (
                    low if high == float("inf") else low + (high - low) * (wanted - below) / (count - below)
                )
                break
            low, below = high, count
    return found
