"""What commands print: tables for people, JSON for programs.

Belongs here: rendering. Does not belong here: what is rendered. Results go to standard output, everything else
(progress, notes, errors) to standard error, so that `--json` can always be piped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jdebill_pipelines.domain.money import in_words

F = TypeVar("F", bound=Callable[..., Any])
Progressed = Callable[[str, int, int | None], None]

_json = msgspec.json.Encoder(decimal_format="number")


def examples(*lines: str) -> str:
    """Return the epilog of a command: examples, printed line by line as they are."""
    return "\b\n" + "\n".join(["Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)])


def json_option(function: F) -> F:
    """Add ``--json`` to a command, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for a program; amounts are exact numbers.")(
        function
    )


def print_json(value: Any) -> None:
    """Print a value as indented JSON; decimals become numbers with all their digits, times ISO 8601."""
    click.echo(msgspec.json.format(_json.encode(value), indent=2).decode("utf-8"))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    right: Sequence[str] = (),
    empty: str = "Nothing.",
) -> None:
    """Print rows as a table, or a sentence when there are none.

    Args:
        columns: headings.
        rows: values; None is blank.
        title: above the table.
        right: headings of the columns that are aligned to the right (numbers).
        empty: the sentence.
    """
    values = list(rows)
    console = stdout()
    if title:
        console.print(Text(title, style="bold"))
    if not values:
        console.print(empty)
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in values:
        table.add_row(*(Text(as_words(value)) for value in row))
    console.print(table)


def as_words(value: Any) -> str:
    """Return a value as people read it: amounts with thousands separators, yes and no, minutes of a time."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(sep=" ", timespec="minutes") if hasattr(value, "hour") else value.isoformat())
    return f"{value:,}" if isinstance(value, int) else str(value)


def stdout() -> Console:
    """A console on standard output; as wide as the terminal, or wide enough for a file."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=False)


def note(text: str) -> None:
    """Tell a person something that is no result."""
    click.echo(text, err=True)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progressed]:
    """Show what long work does: bars on a terminal, a line per piece of work elsewhere, nothing when ``quiet``.

    Yields:
        Called with (what, done, total or None).
    """
    if quiet:
        yield lambda _what, _done, _total: None
    elif sys.stderr.isatty():
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
            tasks: dict[str, Any] = {}

            def show(what: str, done: int, total: int | None) -> None:
                if what not in tasks:
                    tasks[what] = bars.add_task(what, total=total)
                bars.update(tasks[what], completed=done, total=total)

            yield show
    else:
        seen: set[str] = set()

        def say(what: str, _done: int, _total: int | None) -> None:
            if what not in seen:
                seen.add(what)
                note(f"  {what}")

        yield say


def totals_in_words(totals: Mapping[str, Decimal]) -> str:
    """Return amounts per currency as ``1,234.50 USD, 99 JPY``."""
    return ", ".join(f"{money(amount, currency)} {currency}".strip() for currency, amount in sorted(totals.items()))


def money(amount: Decimal | None, currency: str) -> str:
    """Return an amount with the currency's decimals (more if it has more): ``1,360.10``; '' for none."""
    return "" if amount is None else in_words(amount, currency)
