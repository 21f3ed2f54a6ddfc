"""Geometry of the small charts: bars, a histogram, a waterfall.

Belongs here: where each mark of a chart goes. Does not belong here: what is charted (overview.py) or the SVG's markup
(templates). Lengths are in pixels of the chart's own box; they are drawn from amounts, never computed back into one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

_WIDTH = 560
_LABEL = 232  # room for the label of a horizontal bar
_ROW = 24
_VALUE = 90  # room for the value behind a horizontal bar
_PLOT = 190  # height of the plot of a histogram or waterfall
_TOP, _FOOT = 22, 50
_CHARACTER = 7  # a character's width at most
_CUT_AXIS = Decimal("0.6")  # the axis of a waterfall is cut when its lowest point is higher than this share


@dataclass(frozen=True, slots=True)
class Item:
    """One bar: its label, its size, the text of its size, where a click leads, and its tone.

    Tones: ``plain``, ``bad``, ``good``, ``total``.
    """

    label: str
    size: Decimal
    shown: str
    href: str = ""
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; ``words`` are what a pointer on it tells."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    words: str


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line."""

    x1: str
    y1: str
    x2: str
    y2: str
    tone: str = "axis"


@dataclass(frozen=True, slots=True)
class Text:
    """A text; ``anchor`` is SVG's."""

    x: str
    y: str
    text: str
    anchor: str = "start"
    tone: str = ""
    href: str = ""


@dataclass(slots=True)
class Chart:
    """A chart ready to be drawn; ``words`` say the same to somebody who does not see it."""

    id: str
    title: str
    note: str
    width: int
    height: int
    words: str
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def horizontal_bars(id_: str, title: str, note: str, items: Sequence[Item]) -> Chart:
    """Draw one bar per item below one another, the longest over the whole width."""
    chart = Chart(id_, title, note, _WIDTH, _ROW * len(items) + 6, _words(title, items))
    most = max([abs(item.size) for item in items], default=Decimal(0)) or Decimal(1)
    room = _WIDTH - _LABEL - _VALUE
    for at, item in enumerate(items):
        y = at * _ROW
        length = max(abs(item.size) / most * room, Decimal(1) if item.size else Decimal(0))
        chart.texts.append(Text("0", _at(y + 16), _cut(item.label, 32), href=item.href))
        chart.bars.append(
            Bar(_at(_LABEL), _at(y + 4), _at(length), _at(_ROW - 9), item.tone, f"{item.label}: {item.shown}")
        )
        chart.texts.append(Text(_at(_LABEL + length + 6), _at(y + 16), item.shown, tone="value"))
    chart.lines.append(Line(_at(_LABEL), "0", _at(_LABEL), _at(_ROW * len(items))))
    return chart


def histogram(id_: str, title: str, note: str, items: Sequence[Item]) -> Chart:
    """Draw one column per item beside one another, with its label below and its size above."""
    chart = Chart(id_, title, note, _WIDTH, _TOP + _PLOT + _FOOT, _words(title, items))
    most = max([item.size for item in items], default=Decimal(0)) or Decimal(1)
    slot = Decimal(_WIDTH) / max(len(items), 1)
    for at, item in enumerate(items):
        height = max(item.size / most * _PLOT, Decimal(1) if item.size else Decimal(0))
        middle = slot * at + slot / 2
        top = _TOP + _PLOT - height
        width = min(slot * Decimal("0.72"), Decimal(64))
        words = f"{item.label}: {item.shown}"
        chart.bars.append(Bar(_at(middle - width / 2), _at(top), _at(width), _at(height), item.tone, words))
        if item.size:
            chart.texts.append(Text(_at(middle), _at(top - 6), item.shown, "middle", "value"))
        chart.texts.extend(_below(middle, slot, item.label))
    chart.lines.append(Line("0", _at(_TOP + _PLOT), _at(_WIDTH), _at(_TOP + _PLOT)))
    return chart


def waterfall(id_: str, title: str, note: str, items: Sequence[Item]) -> Chart:
    """Draw how an amount becomes another: items of tone ``total`` stand on the axis, all others change the level.

    Where the changes are small against the level the axis is cut, and the note says where it begins.
    """
    spans, level = [], Decimal(0)
    for item in items:
        below = Decimal(0) if item.tone == "total" else level
        level = item.size if item.tone == "total" else level + item.size
        spans.append((below, level))
    ends = [end for span in spans for end in span if span[0] or end is span[1]] or [Decimal(0)]
    low, high = min([Decimal(0), *ends]), max([Decimal(0), *ends])
    floor = min(ends)
    if low == 0 and high > 0 and floor > high * _CUT_AXIS:
        low = floor - (high - floor) / 2 if high > floor else high * _CUT_AXIS
        note = f"{note} The axis begins at {low:,.0f}.".strip()
    scale = _PLOT / ((high - low) or Decimal(1))
    chart = Chart(id_, title, note, _WIDTH, _TOP + _PLOT + _FOOT, _words(title, items))
    slot = Decimal(_WIDTH) / max(len(items), 1)
    width = min(slot * Decimal("0.66"), Decimal(80))
    for at, (item, (start, end)) in enumerate(zip(items, spans, strict=True)):
        middle = slot * at + slot / 2
        top = _TOP + (high - max(start, end)) * scale
        height = max((max(start, end) - max(min(start, end), low)) * scale, Decimal(1))
        words = f"{item.label}: {item.shown}"
        chart.bars.append(Bar(_at(middle - width / 2), _at(top), _at(width), _at(height), item.tone, words))
        chart.texts.append(Text(_at(middle), _at(top - 6), item.shown, "middle", "value"))
        chart.texts.extend(_below(middle, slot, item.label))
        if at + 1 < len(items):
            y = _TOP + (high - end) * scale
            chart.lines.append(Line(_at(middle + width / 2), _at(y), _at(middle + slot - width / 2), _at(y), "join"))
    zero = _TOP + (high - max(low, Decimal(0))) * scale
    chart.lines.append(Line("0", _at(zero), _at(_WIDTH), _at(zero)))
    return chart


def compact(amount: Decimal) -> str:
    """Return an amount for the label of a bar: whole below a million, then millions with two decimals."""
    if abs(amount) >= 1_000_000:
        return f"{amount / 1_000_000:,.2f} M"
    return f"{amount:,.0f}" if amount == amount.to_integral_value() or abs(amount) >= 1_000 else f"{amount:,.2f}"


def _below(middle: Decimal, slot: Decimal, label: str) -> list[Text]:
    """The label under a column, in as many lines as its slot asks for, at most three."""
    lines = textwrap.wrap(label, max(int(slot / _CHARACTER), 6), max_lines=3, placeholder="…")
    return [Text(_at(middle), _at(_TOP + _PLOT + 17 + at * 14), line, "middle", "dim") for at, line in enumerate(lines)]


def _words(title: str, items: Sequence[Item]) -> str:
    return f"{title}: " + "; ".join(f"{item.label} {item.shown}" for item in items)


def _at(length: Decimal | int) -> str:
    return f"{length:.1f}".removesuffix(".0")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
