"""Rules as data: what is checked on a frame, and what a person is told when it fails.

Belongs here: the rule type, and running a pandera schema so that every failing row is known. Does not belong here: any
particular rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from jdebill_pipelines.domain.verdicts import Failure


class SchemaMismatchError(ValueError):
    """A frame whose columns or types are not what the schema describes: a defect, not bad data of a customer."""


class Rule(msgspec.Struct, frozen=True):
    """One check of one column.

    Attributes:
        name: stable identifier, ends up in verdicts and overrides.
        column: the column that is checked, as a whole.
        holds: given the column, says for every row whether the rule holds.
        field: the JDE item or BILL field that a person has to look at.
        value: column whose content is shown to the person.
        reason, fix: texts with column names in braces.
    """

    name: str
    column: str
    holds: Callable[[pd.Series[Any]], pd.Series[bool]]
    field: str
    value: str
    reason: str
    fix: str


def is_true(column: pd.Series[Any]) -> pd.Series[bool]:
    """Every row holds True."""
    return column.eq(True)


def not_blank(column: pd.Series[Any]) -> pd.Series[bool]:
    """No row holds ''."""
    return column.ne("")


def schema_of(rules: Iterable[Rule], columns: Iterable[str]) -> pa.DataFrameSchema:
    """Build the pandera schema: object columns, none missing, every rule a check that carries the rule's name."""
    checks: dict[str, list[pa.Check]] = {column: [] for column in columns}
    for rule in rules:
        checks[rule.column].append(pa.Check(rule.holds, name=rule.name, error=rule.name))
    return pa.DataFrameSchema(
        {name: pa.Column(object, checks=found, nullable=False) for name, found in checks.items()}, strict=True
    )


def frame_of(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Build a frame of plain Python objects: no number becomes a float, no text another type."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pd.DataFrame(
        {name: pd.Series(list(column), dtype=object) for name, column in zip(columns, values, strict=True)},
        columns=list(columns),
    )


def failing_rows(frame: pd.DataFrame, schema: pa.DataFrameSchema, rules: Iterable[Rule]) -> list[tuple[int, Rule]]:
    """Validate a frame and return (row number, rule) of every failure, in order of row and rule.

    Raises:
        SchemaMismatchError: columns are missing, there are others, or one holds nothing where it must not.
    """
    by_name = {rule.name: (order, rule) for order, rule in enumerate(rules)}
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        found = []
        for check, index, column in zip(cases["check"], cases["index"], cases["column"], strict=True):
            if check not in by_name or index is None or index != index:
                raise SchemaMismatchError(f"column {column}: {check}") from None
            found.append((int(index), *by_name[check]))
        return [(index, rule) for index, _, rule in sorted(found, key=lambda f: f[:2])]
    return []


def failure_of(rule: Rule, row: dict[str, Any], line: str = "") -> Failure:
    """Tell a person about one failing row."""
    value = "" if rule.value == "" else str(row[rule.value])
    return Failure(line, rule.field, value, rule.reason.format_map(row), rule.fix.format_map(row), rule.name)
