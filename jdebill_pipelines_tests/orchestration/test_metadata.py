"""What a materialization shows in Dagster."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jdebill_pipelines.orchestration.metadata import of_result
from jdebill_pipelines.steps.context import StepResult


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("USD", "1234567.5", "1,234,567.50"),
        ("JPY", "1200", "1,200"),
        ("JPY", "1200.5", "1,200.5"),
        ("KWD", "-1.25", "-1.250"),
        ("USD", "0.125", "0.125"),
        ("", "12E+2", "1,200.00"),
    ],
)
def test_totals_have_the_decimals_of_their_currency(currency: str, amount: str, shown: str) -> None:
    """Yen have none, dinars three; a fraction that should not be there is never rounded away."""
    result = StepResult()
    result.add_total("written", currency, Decimal(amount))
    assert of_result(result) == {f"total/written {currency or 'base'}": shown}
