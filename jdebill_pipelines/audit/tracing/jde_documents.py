"""Documents of JD Edwards: orders, vouchers, payments and journal entries, with their ledger lines.

Belongs here: what JDE's tables say. Does not belong here: the postings that made some of them (described_postings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

import msgspec

from jdebill_pipelines.audit.tracing.accounts import Accounts
from jdebill_pipelines.audit.tracing.books import Books, Row
from jdebill_pipelines.audit.tracing.facts import known
from jdebill_pipelines.audit.tracing.follow import JOURNAL_BATCHES, PAYMENT_ID, paid_amount, payee_of
from jdebill_pipelines.audit.tracing.model import Fact, Kind, Line, Node, Ref
from jdebill_pipelines.domain.keys import OrderKey, OrderLink, VoucherKey
from jdebill_pipelines.domain.rows import ZERO, day, number, text

_BATCH_STATES = {"": "not approved", "A": "approved", "P": "pending", "D": "posted", "E": "in error"}  # F0011.IST


class JdeDocuments:
    """Describes documents of JDE.

    Args:
        books: its rows.
        accounts: of both sides.
    """

    def __init__(self, books: Books, accounts: Accounts) -> None:
        self._books, self._accounts = books, accounts

    def orders(self, keys: list[str]) -> Iterable[Node]:
        """Orders (F4301) with their lines (F4311)."""
        orders = {OrderKey.parse(key) for key in keys}
        numbers = {order.number for order in orders}
        lines = self._books.rows("F4311", "DOCO", numbers)
        for row in self._books.rows("F4301", "DOCO", numbers):
            order = OrderKey.of(row)
            if order not in orders:
                continue
            foreign, currency = text(row, "CRRM") == "F", text(row, "CRCD")
            item = "FEA" if foreign else "AEXP"
            own = [line for line in lines if OrderKey.of(line) == order]
            yield Node(
                ref=Ref(Kind.ORDER, str(order)),
                facts=known(
                    Fact("amount", "Ordered", sum((number(x, item) for x in own), ZERO), currency),
                    Fact("supplier", "Supplier", str(int(row["AN8"]))),
                    Fact("order_date", "Order date", day(row, "TRDJ")),
                    Fact("ordered_by", "Ordered by", text(row, "ORBY")),
                    Fact("hold", "Hold", text(row, "HOLD")),
                    Fact("terms", "Terms", text(row, "PTC")),
                ),
                lines=tuple(
                    Line(
                        line=f"line {number(x, 'LNID').normalize():f}",
                        amount=number(x, item),
                        currency=currency,
                        account=".".join(p for p in (text(x, "OMCU"), text(x, "OBJ"), text(x, "SUB")) if p),
                        account_id=text(x, "AID"),
                        text=f"{text(x, 'DSC1')} (status {text(x, 'LTTR')}, next {text(x, 'NXTR')})",
                    )
                    for x in own
                ),
            )

    def vouchers(self, keys: list[str]) -> Iterable[Node]:
        """Vouchers (F0411) with several pay items and their distribution (F0911)."""
        vouchers = {VoucherKey.parse(key) for key in keys}
        items: dict[VoucherKey, list[Row]] = {}
        for row in self._books.rows("F0411", "DOC", {v.number for v in vouchers}):
            if VoucherKey.of(row) in vouchers:
                items.setdefault(VoucherKey.of(row), []).append(row)
        ledger = self._books.rows("F0911", "DOC", {v.number for v in vouchers})
        batches = self._batches(rows[0] for rows in items.values())
        for voucher, rows in items.items():
            first = rows[0]
            foreign, currency = text(first, "CRRM") == "F", text(first, "CRCD")
            gross, left = ("ACR", "FAP") if foreign else ("AG", "AAP")
            trade = " or ".join(f"{code}, {by}" for code, by in self._trade_accounts(first))
            order = OrderLink.of(first)
            own = [row for row in ledger if VoucherKey.of(row) == voucher and text(row, "LT") == "AA"]
            yield Node(
                ref=Ref(Kind.VOUCHER, str(voucher)),
                facts=known(
                    Fact("amount", "Gross", sum((number(r, gross) for r in rows), ZERO), currency),
                    Fact("open", "Open", sum((number(r, left) for r in rows), ZERO), currency),
                    Fact("supplier", "Supplier", payee_of(first)),
                    Fact("invoice_number", "Invoice", text(first, "VINV")),
                    Fact("invoice_date", "Invoice date", day(first, "DIVJ")),
                    Fact("gl_date", "G/L date", day(first, "DGJ")),
                    Fact("pay_status", "Pay status", " ".join(dict.fromkeys(text(r, "PST") for r in rows))),
                    Fact("void", "Void", "yes" if text(first, "VOD") else ""),
                    Fact("order", "Order", "-".join(map(str, order)) if order else ""),
                    Fact("trade_account", "Trade account", trade),
                    Fact("batch", "Batch", batches.get(_batch(first), "")),
                    Fact("entered_by", "Changed last by", _changed(first)),
                ),
                lines=(*self._items(rows, gross, left, currency), *self._ledger(own)),
            )

    def payments(self, keys: list[str]) -> Iterable[Node]:
        """Payments (F0413) with what they paid (F0414) and their ledger lines (F0911)."""
        numbers = [int(key) for key in keys]
        headers = {int(row["PYID"]): row for row in self._books.rows("F0413", "PYID", numbers)}
        details: dict[int, list[Row]] = {}
        for row in self._books.rows("F0414", "PYID", numbers):
            details.setdefault(int(row["PYID"]), []).append(row)
        batches = self._batches(headers.values())
        ledger = self._books.rows("F0911", "DOC", {int(row["DOCM"]) for row in headers.values()})
        items = self._books.rows("F0411", "DOC", {int(r["DOC"]) for rows in details.values() for r in rows})
        trade_of = {VoucherKey.of(row): self._trade_accounts(row) for row in items}
        for key in numbers:
            header, rows = headers.get(key), details.get(key, [])
            if header is None:
                continue
            paid = [row for row in rows if text(row, "DCTM") != "PO"]
            currency = text(header, "CRCD") or next((text(row, "CRCD") for row in paid), "")
            trade = {pair for r in paid for pair in trade_of.get(VoucherKey.of(r), ())}
            own = [
                row
                for row in ledger
                if _batch(row) == _batch(header) or (int(row["PYID"]) == key and text(row, "DCT") == "PO")
            ]
            own = [row for row in own if text(row, "LT") == "AA"]
            yield Node(
                ref=Ref(Kind.JDE_PAYMENT, str(key)),
                name=f"{number(header, 'DOCM').normalize():f} ({PAYMENT_ID}{key})",
                facts=known(
                    Fact("amount", "Amount", sum((paid_amount(row) for row in paid), ZERO), currency),
                    Fact("payment_date", "Payment date", day(header, "DMTJ")),
                    Fact("voided_on", "Voided", day(header, "VDGJ")),
                    Fact("payee", "Payee", str(int(number(header, "PYE")))),
                    Fact("bank_account", "Bank account", self._accounts.code(text(header, "GLBA"))),
                    Fact("batch", "Batch", batches.get(_batch(header), "")),
                    Fact("reference", "Reference", next((text(row, "RMK") for row in paid), "")),
                    Fact("entered_by", "Changed last by", _changed(header)),
                ),
                lines=(
                    *(_pays(row) for row in rows),
                    *self._ledger(own, lambda row, trade=trade: self._why(row, trade)),  # type: ignore[misc]
                ),
                notes=() if own else ("no ledger lines yet: JD Edwards writes them when the batch is posted",),
            )

    def entries(self, keys: list[str]) -> Iterable[Node]:
        """Journal entries (F0911), ledger AA."""
        entries = {VoucherKey.parse(key): [] for key in keys}  # type: dict[VoucherKey, list[Row]]
        for row in self._books.rows("F0911", "DOC", {entry.number for entry in entries}):
            if VoucherKey.of(row) in entries and text(row, "ICUT") in JOURNAL_BATCHES and text(row, "LT") == "AA":
                entries[VoucherKey.of(row)].append(row)
        batches = self._batches(rows[0] for rows in entries.values() if rows)
        for entry, rows in entries.items():
            if not rows:
                continue
            first = rows[0]
            debits = sum((number(row, "AA") for row in rows if number(row, "AA") > 0), ZERO)
            yield Node(
                ref=Ref(Kind.ENTRY, str(entry)),
                facts=known(
                    Fact("amount", "Debits", debits, self._accounts.currency(text(first, "CO")) or text(first, "CRCD")),
                    Fact("gl_date", "G/L date", day(first, "DGJ")),
                    Fact("batch", "Batch", batches.get(_batch(first), "")),
                    Fact("reference", "Explanation", text(first, "EXA")),
                    Fact("entered_by", "Changed last by", _changed(first)),
                ),
                lines=tuple(
                    msgspec.structs.replace(line, text=text(row, "EXR") or line.text)
                    for line, row in zip(self._ledger(rows, lambda row: self._why(row, set())), rows, strict=True)
                ),
            )

    def _items(self, rows: Iterable[Row], gross: str, left: str, currency: str) -> Iterable[Line]:
        """Pay items are worth a line only where there are several: the gross amount says the rest."""
        listed = list(rows)
        for row in listed if len(listed) > 1 else ():
            yield Line(
                line=f"pay item {text(row, 'SFX')}",
                amount=number(row, gross),
                currency=currency,
                text=f"open {number(row, left):,f}, due {day(row, 'DDJ') or 'never'}, status {text(row, 'PST')}",
            )

    def _ledger(self, rows: Iterable[Row], why: Callable[[Row], str] = lambda _row: "") -> Iterable[Line]:
        """Lines of the general ledger, ledger AA: amounts are in the company's currency."""
        for row in rows:
            yield Line(
                line=f"{text(row, 'DCT')} line {number(row, 'JELN').normalize():f}",
                amount=number(row, "AA"),
                currency=self._accounts.currency(text(row, "CO")) or text(row, "CRCD"),
                account=".".join(p for p in (text(row, "MCU"), text(row, "OBJ"), text(row, "SUB")) if p),
                account_id=text(row, "AID"),
                text=text(row, "EXA"),
                why=why(row),
            )

    def _why(self, row: Row, trade: set[tuple[str, str]]) -> str:
        if text(row, "AID") == self._accounts.bank_account:
            return "bank account of the connection (sync.bank_account)"
        code = self._accounts.code(text(row, "AID"))
        return next((f"trade account of the voucher, {by}" for account, by in sorted(trade) if account == code), "")

    def _trade_accounts(self, item: Row) -> list[tuple[str, str]]:
        """The trade account of a pay item and what says so: the instruction, else what its post has credited."""
        code, by = self._accounts.trade_account(text(item, "CO"), text(item, "GLC"))
        if code:
            return [(code, f"by {by}")]
        kind, batch = _batch(item)
        offsets = (
            row
            for row in self._books.rows("F0911", "ICU", [batch] if batch else ())
            if text(row, "DCT") == "AE"
            and text(row, "ICUT") == kind
            and text(row, "CO") == text(item, "CO")
            # Taxes and the like are on the other side of the post.
            and number(row, "AA") * number(item, "AG") < 0
        )
        codes = dict.fromkeys(self._accounts.code(text(row, "AID")) for row in offsets)
        return [(code, f"which the post of batch {kind} {batch} credited (F0911, AE)") for code in codes]

    def _batches(self, rows: Iterable[Row]) -> dict[tuple[str, int], str]:
        """The batch of each row in words, with its post status."""
        wanted = {_batch(row) for row in rows}
        states = {_batch(row): text(row, "IST") for row in self._books.rows("F0011", "ICU", {n for _, n in wanted})}
        words = {}
        for kind, batch in wanted:
            state = states.get((kind, batch))
            words[kind, batch] = f"{kind} {batch}" + ("" if state is None else f", {_BATCH_STATES.get(state, state)}")
        return words


def _batch(row: Row) -> tuple[str, int]:
    return text(row, "ICUT"), int(number(row, "ICU"))


def _changed(row: Row) -> str:
    """User and time of the last change, as JDE stamps it: in the JDE server's zone."""
    when = day(row, "UPMJ")
    stamp = f"{int(row.get('UPMT') or 0):06d}"
    at = f" on {when} {stamp[:2]}:{stamp[2:4]}:{stamp[4:]} JDE time" if isinstance(when, date) else ""
    return f"{text(row, 'USER')}{at}" if text(row, "USER") else ""


def _pays(row: Row) -> Line:
    taken = number(row, "CDSA") if text(row, "CRRM") == "F" else number(row, "ADSA")
    void = "void, " if text(row, "DCTM") == "PO" else ""
    return Line(
        line=f"{VoucherKey.of(row)} pay item {text(row, 'SFX')}",
        amount=paid_amount(row),
        currency=text(row, "CRCD"),
        text=f"{void}{f'discount {taken:,f}' if taken else ''}".rstrip(", "),
    )
