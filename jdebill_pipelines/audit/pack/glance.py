"""The charts of the summary: which procedure's rows they are made of.

Belongs here: counting and adding up rows as they go by. Does not belong here: geometry (charts.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from jdebill_pipelines.audit.model import Procedure, Result, Shape
from jdebill_pipelines.audit.pack.charts import Chart, Item, compact, histogram, horizontal_bars, waterfall
from jdebill_pipelines.audit.pack.values import CAUSES, typed

_MOST_CAUSES = 12
_MOST_WATERFALLS, _MOST_AGES = 3, 4
# Upper ends in days, inclusive, and their labels.
_LAGS = ((0, "same day"), (1, "1"), (2, "2"), (3, "3"), (5, "4-5"), (10, "6-10"), (30, "11-30"))
_AGES = {
    "open_items": ((0, "not due"), (30, "1-30"), (60, "31-60"), (90, "61-90"), (180, "91-180")),
    "in_transit": ((0, "same day"), (1, "1"), (3, "2-3"), (7, "4-7"), (30, "8-30")),
}
_LAG_BEYOND, _AGE_BEYOND = "over 30", {"open_items": "over 180", "in_transit": "over 30"}

# procedure -> the days between the payment's process date and its G/L date
_LAG_OF = {"payment_trace": ("process_date", "gl_date")}
# procedure -> days, amount, title, note
_AGE_OF = {
    "open_items": ("days_overdue", "open", "Open items by age", "Open at the cut-off, by days overdue."),
    "in_transit": ("days", "amount", "Payments in transit by age", "Amount at the cut-off, by days since the payment."),
}
# procedure -> opening, what changes it, closing
_FORWARD_OF = {"roll_forward": ("opening", ("vouchers", "adjustments", "payments", "voids"), "closing")}


class Glance:
    """Adds up what the charts show."""

    def __init__(self) -> None:
        self._causes: Counter[tuple[str, str]] = Counter()
        self._titles: dict[str, str] = {}
        self._lags: Counter[str] = Counter()
        self._ages: dict[tuple[str, str], dict[str, Decimal]] = {}
        self._base: set[str] = set()
        self._forward: list[tuple[str, str, list[Item]]] = []

    def offer(self, procedure: Procedure, row: Mapping[str, Any], *, exception: bool) -> None:
        """Look at the next row of a procedure, as it is stored."""
        if exception:
            self._titles[procedure.key] = procedure.title
            cause = next((str(row[name]) for name in CAUSES if row.get(name)), "")
            self._causes[(procedure.key, cause)] += 1
        if procedure.key in _LAG_OF:
            self._note_lag(row, *_LAG_OF[procedure.key])
        if procedure.key in _AGE_OF:
            self._note_age(procedure.key, row)
        if procedure.key in _FORWARD_OF:
            self._note_forward(procedure, row)
        if procedure.key == "tie_out":
            self._base.add(str(row.get("currency") or ""))

    def charts(self, results: Sequence[Result]) -> list[Chart]:
        """Give the charts that there is something to draw for."""
        found = [*self._forward_charts(), *self._age_charts()]
        if self._lags:
            labels = [label for _, label in _LAGS] + [_LAG_BEYOND]
            items = [Item(label, Decimal(self._lags[label]), f"{self._lags[label]:,}") for label in labels]
            title, note = (
                "Payment lag",
                "Days from BILL's process date to the G/L date in JD Edwards, per payment and bill.",
            )
            found.append(histogram("chart-lag", title, note, items))
        if self._causes:
            found.append(self._cause_chart(results))
        return found

    def _cause_chart(self, results: Sequence[Result]) -> Chart:
        order = {result.procedure.key: at for at, result in enumerate(results)}
        ranked = sorted(self._causes.items(), key=lambda entry: (-entry[1], order[entry[0][0]], entry[0][1]))
        items = [
            Item(cause or self._titles[key], Decimal(count), f"{count:,}", href=f"#{key}", tone="bad")
            for (key, cause), count in ranked[:_MOST_CAUSES]
        ]
        rest = sum(count for _, count in ranked[_MOST_CAUSES:])
        if rest:
            items.append(Item(f"{len(ranked) - _MOST_CAUSES} other causes", Decimal(rest), f"{rest:,}", tone="bad"))
        return horizontal_bars("chart-causes", "Exceptions by cause", "Number of rows.", items)

    def _age_charts(self) -> list[Chart]:
        charts = []
        for (key, currency), ages in sorted(self._ages.items(), key=lambda entry: self._rank(entry[0][1])):
            labels = [label for _, label in _AGES[key]] + [_AGE_BEYOND[key]]
            items = [Item(label, ages.get(label, Decimal(0)), compact(ages.get(label, Decimal(0)))) for label in labels]
            _, _, title, note = _AGE_OF[key]
            name = f"chart-{key}-{currency}".lower().replace("_", "-")
            charts.append(horizontal_bars(name, f"{title}, {currency}".rstrip(", "), note, items))
        return charts[:_MOST_AGES]

    def _forward_charts(self) -> list[Chart]:
        ranked = sorted(self._forward, key=lambda entry: self._rank(entry[1]))[:_MOST_WATERFALLS]
        return [
            waterfall(f"chart-forward-{at}", f"Roll-forward, {of}", "", items)
            for at, (of, _, items) in enumerate(ranked)
        ]

    def _rank(self, currency: str) -> tuple[bool, str]:
        """The companies' own currencies first."""
        return currency not in self._base, currency

    def _note_lag(self, row: Mapping[str, Any], first: str, last: str) -> None:
        one, other = typed(row.get(first), Shape.DATE), typed(row.get(last), Shape.DATE)
        if isinstance(one, date) and isinstance(other, date):
            self._lags[_bucket((other - one).days, _LAGS, _LAG_BEYOND)] += 1

    def _note_age(self, key: str, row: Mapping[str, Any]) -> None:
        days, amount, _, _ = _AGE_OF[key]
        age, size = typed(row.get(days), Shape.NUMBER), typed(row.get(amount), Shape.AMOUNT)
        if isinstance(age, int) and isinstance(size, Decimal):
            ages = self._ages.setdefault((key, str(row.get("currency") or "")), {})
            label = _bucket(age, _AGES[key], _AGE_BEYOND[key])
            ages[label] = ages.get(label, Decimal(0)) + size

    def _note_forward(self, procedure: Procedure, row: Mapping[str, Any]) -> None:
        opening, changes, closing = _FORWARD_OF[procedure.key]
        titles = {column.name: column.title for column in procedure.columns}
        items = []
        for name in (opening, *changes, closing):
            amount = typed(row.get(name), Shape.AMOUNT)
            if isinstance(amount, Decimal):
                tone = "total" if name in (opening, closing) else "good" if amount < 0 else "plain"
                items.append(Item(titles.get(name, name), amount, compact(amount), tone=tone))
        if any(item.size for item in items):
            of = " ".join(str(row[name]) for name in ("company", "currency") if row.get(name))
            self._forward.append((of, str(row.get("currency") or ""), items))


def _bucket(days: int, ends: Sequence[tuple[int, str]], beyond: str) -> str:
    return next((label for end, label in ends if days <= end), beyond)
