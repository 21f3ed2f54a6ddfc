"""Cron expressions that are right, and the field that is wrong."""

from __future__ import annotations

import pytest
from dagster._utils.schedules import is_valid_cron_string

from jdebill_pipelines.config.cron import cron_problem

RIGHT = ["* * * * *", "*/15 * * * *", "30 2 * * 1-5", "0,30 6-18/2 1,15 JAN-mar Sun", "59 23 31 12 7", "0 0 1 1 0"]
WRONG = ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *"]
WRONG += ["5-1 * * * *", "a * * * *", "1--2 * * * *", "1, * * * *", "@daily", "* * * * * *"]


@pytest.mark.parametrize("expression", RIGHT)
def test_right_expressions_pass_here_and_in_dagster(expression: str) -> None:
    """What we accept, Dagster's schedules accept."""
    assert cron_problem(expression) is None
    assert is_valid_cron_string(expression)


@pytest.mark.parametrize("expression", WRONG)
def test_wrong_expressions_are_explained(expression: str) -> None:
    """The text says which field and what is allowed."""
    problem = cron_problem(expression)
    assert problem is not None
    assert "allowed" in problem or "five" in problem
