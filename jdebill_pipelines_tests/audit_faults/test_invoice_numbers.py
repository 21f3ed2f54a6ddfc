"""Which invoice numbers count as the same one written differently, asked of the SQL that the report uses."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from jdebill_pipelines.audit.procedures.duplicates import NORMALISED
from jdebill_pipelines.store.engine import create_engine

PLAIN = sa.text(f"SELECT {NORMALISED.format(number='n')} FROM unnest(CAST(:numbers AS text[])) AS n")

ALIKE = [
    ("INV-0042", "42", "inv 42", "INVOICE 0042", "Invoice No. 42", "no.42", "OO42", "INV-OO42", "INVOO42", "0O42"),
    ("2026/0674", "2026-674", "INV 2026/0674", "2026/O674", "2O26/0674", "2026 0674", "00002026/0674"),
    ("00000642", "OOOOO642", "0000000642", "642"),
    ("A-1012", "a1012", "A-IOI2", "A-l0l2", "A 1O12"),
    ("PO-0042", "PO42", "po 42", "P0-42"),
    ("NEW-070", "INV new-070", "Invoice no. NEW 70", "#NEW-70"),
    ("FACTURA 7", "Facture 007", "Rechnung 7", "bill-7", "7"),
]
DIFFERENT = [
    ("42", "420"),
    ("42", "A42"),
    ("PO42", "P42"),
    ("OAK12", "AK12"),
    ("2026-1", "2026-2"),
    ("BILLING 5", "5"),
    ("INVERTER 5", "ERTER 5"),
]


@pytest.fixture
def plain(database_url: str) -> dict[str, str]:
    """Every number above as the report compares it."""
    numbers = sorted({number for group in (*ALIKE, *DIFFERENT) for number in group})
    with create_engine(database_url).connect() as tx:
        return dict(zip(numbers, tx.execute(PLAIN, {"numbers": numbers}).scalars(), strict=True))


def test_disguises_do_not_hide_a_number_and_words_do_not_make_one(plain: dict[str, str]) -> None:
    """Case, separators, words for invoice, leading zeros, letters typed for digits; numbers apart stay apart."""
    for group in ALIKE:
        assert {plain[number] for number in group} == {plain[group[0]]}, {n: plain[n] for n in group}
    assert len({plain[group[0]] for group in ALIKE}) == len(ALIKE)
    for one, other in DIFFERENT:
        assert plain[one] != plain[other], (one, other)
