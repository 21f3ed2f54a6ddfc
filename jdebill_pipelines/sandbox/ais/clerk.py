"""What people do in JD Edwards while nobody of us is asked: under `/__control/clerk`.

Belongs here: reading a deed from JSON and doing it. Not here: the rules (``books``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from jdebill_pipelines.sandbox.ais.books import orders, posting
from jdebill_pipelines.sandbox.ais.books.base import Books
from jdebill_pipelines.sandbox.ais.books.messages import Findings, FormError
from jdebill_pipelines.sandbox.ais.codec import Json
from jdebill_pipelines.sandbox.ais.orchestration_inputs import read_inputs
from jdebill_pipelines.sandbox.ais.orchestration_specs import JOURNAL, PAYMENT, SPECS, VOID, VOUCHER, Spec
from jdebill_pipelines.sandbox.ais.orchestrations import run
from jdebill_pipelines.sandbox.ais.world import AisWorld

Deed = Callable[[Books, Json], Any]
_KEY = ("DOCO", "DCTO", "KCOO", "SFXO")


def do(world: AisWorld, action: str, given: Json) -> Any:
    """Do a deed as the user APCLERK.

    Raises:
        KeyError: no such deed or order.
        ValueError: it is refused; the text says why.
    """
    try:
        return DEEDS[action](Books(world, "APCLERK"), given)
    except FormError as error:
        raise ValueError(str(error)) from None


def _order(given: Json) -> orders.OrderKey:
    named = dict(zip(_KEY, ("number", "kind", "company", "suffix"), strict=True))
    return orders.OrderKey(**{named[item]: given[item] for item in _KEY if item in given})


def _entry(spec: Spec) -> Deed:
    """Enter what an orchestration enters, from the same inputs."""

    def deed(books: Books, given: Json) -> Any:
        return run(spec.name, books, read_inputs(SPECS[spec.name], given, books.switches), Findings())

    return deed


def _receive(books: Books, given: Json) -> Any:
    receipt = orders.receive(books, _order(given), Decimal(given.get("share", 1)))
    _post(books, "O", receipt["ICU"])
    return receipt


def _match(books: Books, given: Json) -> Any:
    made = orders.match(books, _order(given), str(given.get("VINV", "")))
    _post(books, "V", made.batch["ICU"])
    return {"DOC": made.number, "DCT": made.kind, "KCO": made.company, "ICU": made.batch["ICU"]}


def _post(books: Books, kind: str, batch: Any) -> None:
    if books.switches.auto_post:
        posting.post(books, kind, int(batch))


def _cancel(books: Books, given: Json) -> Any:
    lines = [Decimal(line) for line in given.get("lines", [])]
    return {"lines": orders.cancel(books, _order(given), lines=lines)}


DEEDS: dict[str, Deed] = {
    "approve_order": lambda books, given: {
        "lines": orders.approve(books, _order(given), more_approvers=bool(given.get("more_approvers", False)))
    },
    "reject_order": lambda books, given: {"lines": orders.reject(books, _order(given))},
    "print_order": lambda books, given: {"lines": orders.advance(books, _order(given), "280", "400")},
    "receive_order": _receive,
    "match_order": _match,
    "cancel_order": _cancel,
    "voucher": _entry(VOUCHER),
    "payment": _entry(PAYMENT),
    "void": _entry(VOID),
    "journal": _entry(JOURNAL),
}
