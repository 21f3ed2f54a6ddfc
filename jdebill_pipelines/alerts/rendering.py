"""What a person reads: a subject and a plain text.

Belongs here: words and their order. Does not belong here: channels. The text is plain on purpose: values come from two
ERPs, and in plain text none of them can become a link, a mention or markup, whatever channel shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jdebill_pipelines.domain.alerts import AlertContent

DEFAULT_UI_URL = "http://127.0.0.1:3000"
UI_VARIABLE = "JDEBILL_UI_URL"
_SHOWN_ROWS = 10
_LONGEST_VALUE = 600
_LONGEST_TITLE = 150


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    title: str
    text: str


def render(connection: str, subject: str, content: AlertContent, *, suppressed: int = 0, ui_url: str = "") -> Message:
    """Write an alert.

    Args:
        connection: whose.
        subject: one line.
        content: the rest.
        suppressed: alerts of the same cause that were not sent since the last one.
        ui_url: address of the Dagster UI, for the link to the run, or to the page where there is none.
    """
    parts = [_line(content.what)]
    about = [("Where", f"{connection}: {content.where}" if content.where else connection), ("Owner", content.owner)]
    about += [(name[:1].upper() + name[1:], value) for name, value in content.facts.items()]
    parts.append("\n".join(f"{name}: {_line(value)}" for name, value in about if value))
    if content.rows:
        shown = content.rows[:_SHOWN_ROWS]
        total = max(content.total, len(content.rows))
        head = f"Rows ({total}):" if total == len(shown) else f"Rows (the first {len(shown)} of {total}):"
        parts.append("\n".join([head, *(f"- {_row(row)}" for row in shown)]))
    if content.fix:
        parts.append(f"What to do: {_line(content.fix)}")
    address = (ui_url or DEFAULT_UI_URL).rstrip("/")
    parts.append(f"Run: {address}/runs/{content.run_id}" if content.run_id else f"Dagster: {address}")
    if suppressed:
        times = "once" if suppressed == 1 else f"{suppressed} times"
        parts.append(f"The same happened {times} more since the last alert of this cause.")
    return Message(_line(f"[{connection}] {subject}")[:_LONGEST_TITLE], "\n\n".join(part for part in parts if part))


def _row(row: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {_line(value)}" for name, value in row.items())


def _line(value: str) -> str:
    """One line: a break in a value could forge a header of a mail, or a line of ours."""
    text = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
