"""What each member of a chain says itself: facts and lines with their accounts, from the tables of its own system.

Belongs here: one description per kind. Does not belong here: what was decided about it (evidence.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from jdebill_pipelines.audit.tracing.accounts import Accounts
from jdebill_pipelines.audit.tracing.books import Books, Row
from jdebill_pipelines.audit.tracing.follow import JOURNAL_BATCHES, PAYMENT_ID, POSTINGS, paid_amount, payee_of
from jdebill_pipelines.audit.tracing.model import Fact, Kind, Line, Node, Plain, Ref, amount_of
from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.keys import OrderKey, OrderLink, VoucherKey
from jdebill_pipelines.domain.rows import ZERO, day, number, text

_BATCH_STATES = {"": "not approved", "A": "approved", "P": "pending", "D": "posted", "E": "in error"}  # F0011.IST
_ROUTES = {
    "payment": "payment of the voucher",
    "voucher": "voucher against the order's accounts, and its payment",
    "journal": "journal entry",
    "void": "void",
}
_MATCHED = {"tax_id": "its tax id", "name_address": "its name and address", "link": "an earlier link"}
_NOT_READ = "JD Edwards' copy does not have it: it was written after the last reading, or deleted there"


class Describer:
    """Describes members of chains of one connection.

    Args:
        records: ours.
        books: JDE's.
        connection: its rules.
    """

    def __init__(self, records: Records, books: Books, connection: Connection) -> None:
        self._records, self._books, self._connection = records, books, connection
        self._accounts = Accounts(records, connection)
        self._describe: Mapping[Kind, Callable[[list[str]], Iterable[Node]]] = {
            Kind.SUPPLIER: self._suppliers,
            Kind.VENDOR: self._vendors,
            Kind.ORDER: self._orders,
            Kind.VOUCHER: self._vouchers,
            Kind.BILL: lambda keys: self._bills(keys, Kind.BILL),
            Kind.CREDIT: lambda keys: self._bills(keys, Kind.CREDIT),
            Kind.PAYMENT: self._payments,
            Kind.POSTING: self._postings,
            Kind.JDE_PAYMENT: self._jde_payments,
            Kind.ENTRY: self._entries,
        }

    def of(self, members: Iterable[Ref]) -> dict[Ref, Node]:
        """Return the description of every member, in the order of kinds and keys."""
        chain = sorted(set(members))
        found: dict[Ref, Node] = {}
        for kind in Kind:
            keys = [ref.key for ref in chain if ref.kind is kind]
            described = {node.ref: node for node in self._describe[kind](keys)} if keys else {}
            for ref in (Ref(kind, key) for key in keys):
                found[ref] = described.get(ref) or Node(ref=ref, notes=(_NOT_READ,))
        return found

    # Parties.

    def _suppliers(self, keys: list[str]) -> Iterable[Node]:
        names = {str(int(row["AN8"])): text(row, "ALPH") for row in self._books.rows("F0101", "AN8", map(int, keys))}
        links = {link["natural_key"]: link for link in self._records.links(["vendor"], keys=keys)}
        maps = {
            row["natural_key"]: row
            for row in self._records.select(
                "SELECT natural_key, state, reason, candidates, decided_by FROM jdebill.vendor_map "
                "WHERE connection = :connection AND natural_key = ANY(:keys)",
                keys=keys,
            )
        }
        for row in self._books.rows("F0401", "AN8", map(int, keys)):
            key = str(int(row["AN8"]))
            found = maps.get(key, {})
            yield Node(
                ref=Ref(Kind.SUPPLIER, key),
                name=names.get(key, ""),
                facts=_known(
                    Fact("payment_hold", "Payment hold", "" if text(row, "HDPY") in ("", "N") else text(row, "HDPY")),
                    Fact("terms", "Terms", text(row, "TRAP")),
                    Fact("in_bill", "In BILL", _match_words(links.get(key), found)),
                    Fact("candidates", "Vendors that fit", ", ".join(map(str, found.get("candidates") or ()))),
                ),
            )

    def _vendors(self, keys: list[str]) -> Iterable[Node]:
        links = {link["remote_id"]: link for link in self._records.links(["vendor"], remote_ids=keys)}
        for key, raw in self._records.mirrored("vendors", keys).items():
            link = links.get(key)
            yield Node(
                ref=Ref(Kind.VENDOR, key),
                name=str(raw.get("name") or ""),
                facts=_known(
                    Fact("currency", "Currency", str(raw.get("billCurrency") or "USD")),
                    Fact("origin", "Origin", _origin_words(link)),
                    Fact("pay_by", "Paid by", str((raw.get("paymentInformation") or {}).get("payByType") or "")),
                    Fact("archived", "Archived", "yes" if raw.get("archived") else ""),
                    Fact("created_at", "Created", _time(raw.get("createdTime"))),
                ),
            )

    # Documents of JDE.

    def _orders(self, keys: list[str]) -> Iterable[Node]:
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
                facts=_known(
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

    def _vouchers(self, keys: list[str]) -> Iterable[Node]:
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
                facts=_known(
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

    # Documents of BILL.

    def _bills(self, keys: list[str], kind: Kind) -> Iterable[Node]:
        table, link_kind = ("bills", "bill") if kind is Kind.BILL else ("vendor_credits", "vendor_credit")
        raws = self._records.mirrored(table, keys)
        links = {link["remote_id"]: link for link in self._records.links([link_kind], remote_ids=keys)}
        drafts = self._drafts([link["natural_key"] for link in links.values()], (link_kind,))
        written = self._written(links.values())
        currencies = self._records.currencies({str(raw.get("vendorId") or "") for raw in raws.values()})
        for key in keys:
            link = links.get(key)
            draft = drafts.get((link_kind, link["natural_key"])) if link else None
            shown, read = raws.get(key), key in raws
            shown = shown or (written.get(link["natural_key"]) if link else None)
            if shown is None:
                continue
            currency = draft["currency"] if draft else currencies.get(str(shown.get("vendorId") or ""), "USD")
            lines = shown.get("billLineItems") or shown.get("vendorCreditLineItems") or ()
            invoice = shown.get("invoice") or {}
            amount = shown.get("amount", draft["amount"] if draft else None)
            yield Node(
                ref=Ref(kind, key),
                facts=_known(
                    Fact("amount", "Amount", _amount(amount), currency),
                    Fact("open", "Due", _amount(shown.get("dueAmount")), currency),
                    Fact("paid", "Paid", _amount(shown.get("paidAmount") or shown.get("appliedAmount")), currency),
                    Fact("invoice_number", "Invoice", invoice.get("invoiceNumber") or shown.get("referenceNumber")),
                    Fact("invoice_date", "Invoice date", invoice.get("invoiceDate") or shown.get("creditDate")),
                    Fact("due_date", "Due date", shown.get("dueDate")),
                    Fact("vendor", "Vendor", str(shown.get("vendorId") or "")),
                    Fact("approval", "Approval", str(shown.get("approvalStatus") or "")),
                    Fact("payment_status", "Payment", str(shown.get("paymentStatus") or shown.get("status") or "")),
                    Fact("archived", "Archived", "yes" if shown.get("archived") else ""),
                    Fact("origin", "Origin", _origin_words(link) or "typed into BILL"),
                    Fact("created_at", "Created", _time(shown.get("createdTime"))),
                ),
                lines=tuple(self._bill_lines(lines, draft, currency)),
                notes=() if read else ("shown as we wrote it: BILL's bills were not read since",),
            )

    def _bill_lines(
        self, lines: Iterable[Mapping[str, Any]], draft: Mapping[str, Any] | None, currency: str
    ) -> Iterable[Line]:
        """A line that we wrote comes from a line of the document; one that a clerk typed stands for an account."""
        listed = list(lines)
        drafted = list((draft["details"].get("lines") or ()) if draft else ())
        same = [_amount(x.get("amount")) for x in listed] == [_amount(x.get("amount")) for x in drafted]
        for n, line in enumerate(listed, start=1):
            account, department = self._accounts.in_bill(line.get("classifications"))
            origin = drafted[n - 1] if same else None
            if origin is not None:
                unit, object_, sub = (str(origin.get(k) or "") for k in ("business_unit", "object", "subsidiary"))
                code, aid = str(origin.get("account") or ""), str(origin.get("aid") or "")
                why = f"{origin['line']}, {self._accounts.rule(unit, object_, sub)}"
            else:
                behind = self._accounts.behind(line.get("classifications"))
                code, aid = (behind.code, behind.aid) if behind else ("", "")
                why = "stands for this account of JD Edwards" if behind else ""
            yield Line(
                line=f"line {n}",
                amount=_amount(line.get("amount")),
                currency=currency,
                account=code,
                account_id=aid,
                bill_account=account,
                department=department,
                text=str(line.get("description") or ""),
                why=why,
            )

    def _payments(self, keys: list[str]) -> Iterable[Node]:
        raws = self._records.mirrored("payments", keys)
        currencies = self._records.currencies({str(raw.get("vendorId") or "") for raw in raws.values()})
        for key, raw in raws.items():
            currency = currencies.get(str(raw.get("vendorId") or ""), "USD")
            disbursed = raw.get("disbursementInfo") or {}
            check = (disbursed.get("checkDisbursement") or {}).get("checkNumber")
            voids = [v for v in raw.get("voidInfo") or () if v]
            yield Node(
                ref=Ref(Kind.PAYMENT, key),
                facts=_known(
                    Fact("amount", "Amount", _amount(raw.get("amount")), currency),
                    Fact("process_date", "Process date", raw.get("processDate")),
                    Fact("state", "State", str(raw.get("singleStatus") or raw.get("status") or "")),
                    Fact("method", "By", str(raw.get("disbursementType") or "")),
                    Fact("check_number", "Check", str(check or "")),
                    Fact("confirmation", "Confirmation", str(raw.get("confirmationNumber") or "")),
                    Fact("transaction", "Transaction", str(raw.get("transactionNumber") or "")),
                    Fact("vendor", "Vendor", str(raw.get("vendorId") or "")),
                    Fact("bills", "Bills paid", len(raw.get("billPayments") or ()) or 1),
                    Fact("created_by", "Made by BILL user", str(raw.get("createdBy") or "")),
                    Fact("online", "Made", "outside BILL, recorded there" if raw.get("onlinePayment") is False else ""),
                    Fact("void_reason", "Void reason", "; ".join(str(v.get("reason") or "") for v in voids)),
                    Fact("created_at", "Created", _time(raw.get("createdTime"))),
                ),
            )

    # The way back.

    def _postings(self, keys: list[str]) -> Iterable[Node]:
        drafts = self._drafts(keys, POSTINGS)
        sent = self._sent(keys)
        linked = {(link["kind"], link["natural_key"]): link for link in self._records.links(POSTINGS, keys=keys)}
        for key in keys:
            draft = drafts.get(("posting", key))
            content = sent.get(key) or (draft["content"] if draft else {})
            details = draft["details"] if draft else {}
            currency = str(content.get("currency") or (draft["currency"] if draft else ""))
            link = linked.get(("posting", key))
            route = str(content.get("route") or details.get("route") or "")
            amount = content.get("amount", draft["amount"] if draft else None)
            yield Node(
                ref=Ref(Kind.POSTING, key),
                facts=_known(
                    Fact("amount", "Amount", _amount(amount), currency),
                    Fact("route", "Written as", _ROUTES.get(route, route)),
                    Fact("because", "Because", self._because(route, content, draft)),
                    Fact("decided_by", "Decided by", _state_words(details)),
                    Fact("gl_date", "G/L date", content.get("gl_date")),
                    Fact("company", "Company", str(content.get("company") or "")),
                    Fact("bank_account", "Bank account", self._bank(content)),
                    Fact("reference", "Reference", str(content.get("reference") or "")),
                    Fact("compared", "Read back", _readback(link)),
                ),
                lines=tuple(self._posting_lines(content, currency)),
            )

    def _because(self, route: str, content: Mapping[str, Any], draft: Mapping[str, Any] | None) -> str:
        """Which choice of the connection made this kind of posting."""
        if route == "void":
            reason = str(draft["details"].get("void_reason") or "") if draft else ""
            return f"{content.get('original_id')} was voided in BILL" + (f": {reason}" if reason else "")
        source = str(draft["source"]) if draft else ""
        back = self._connection.sync.writeback
        if not source:
            return f"the bill was typed into BILL (sync.writeback.other: {back.other})"
        if source.count("-") == 3:
            return f"the bill came from order {source} (sync.writeback.purchase_order: {back.purchase_order})"
        return f"the bill came from voucher {source} (sync.writeback.voucher: {back.voucher})"

    def _bank(self, content: Mapping[str, Any]) -> str:
        aid = str(content.get("bank_account") or "")
        return f"{self._accounts.code(aid)} (sync.bank_account: {aid})" if aid else ""

    def _posting_lines(self, content: Mapping[str, Any], currency: str) -> Iterable[Line]:
        for voucher in content.get("vouchers") or ():
            discount = amount_of(voucher.get("discount"))
            yield Line(
                line="{document_company}-{document_type}-{document_number} pay item {pay_item}".format_map(voucher),
                amount=amount_of(voucher["amount"]),
                currency=currency,
                text=f"discount {discount:,f}" if discount else "",
            )
        for n, line in enumerate(content.get("lines") or (), start=1):
            aid = str(line.get("account") or "")
            is_bank = aid == self._accounts.bank_account
            yield Line(
                line=f"line {n}",
                amount=amount_of(line["amount"]),
                currency=currency,
                account=self._accounts.code(aid)
                if aid
                else ".".join(str(line[k]) for k in ("business_unit", "object", "subsidiary") if line.get(k)),
                account_id=aid,
                text=str(line.get("explanation") or ""),
                why="bank account of the connection (sync.bank_account)" if is_bank else "account of the bill's line",
            )

    def _jde_payments(self, keys: list[str]) -> Iterable[Node]:
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
                facts=_known(
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

    def _entries(self, keys: list[str]) -> Iterable[Node]:
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
                facts=_known(
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

    # What several need.

    def _batches(self, rows: Iterable[Row]) -> dict[tuple[str, int], str]:
        """The batch of each row in words, with its post status."""
        wanted = {_batch(row) for row in rows}
        states = {_batch(row): text(row, "IST") for row in self._books.rows("F0011", "ICU", {n for _, n in wanted})}
        words = {}
        for kind, batch in wanted:
            state = states.get((kind, batch))
            words[kind, batch] = f"{kind} {batch}" + ("" if state is None else f", {_BATCH_STATES.get(state, state)}")
        return words

    def _drafts(self, keys: Iterable[str], kinds: Iterable[str]) -> dict[tuple[str, str], Row]:
        found = self._records.select(
            "SELECT kind, natural_key, content, details, currency, amount, source FROM jdebill.drafts "
            "WHERE connection = :connection AND natural_key = ANY(:keys) AND kind = ANY(:kinds)",
            keys=list(keys),
            kinds=list(kinds),
        )
        return {(row["kind"], row["natural_key"]): row for row in found}

    def _written(self, links: Iterable[Row]) -> dict[str, dict[str, Any]]:
        """The content that was confirmed last of linked documents."""
        keys = [link["natural_key"] for link in links]
        return self._contents("kind IN ('bill', 'vendor_credit') AND state = 'confirmed'", keys)

    def _sent(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The content of postings as it was sent last, whatever became of it."""
        return self._contents("kind = 'posting'", list(keys))

    def _contents(self, condition: str, keys: list[str]) -> dict[str, dict[str, Any]]:
        sql = (
            "SELECT natural_key, content FROM jdebill.writes WHERE connection = :connection "  # noqa: S608
            f"AND natural_key = ANY(:keys) AND {condition} ORDER BY natural_key, id"
        )
        return {row["natural_key"]: row["content"] for row in self._records.select(sql, keys=keys)}


def _known(*facts: Fact) -> tuple[Fact, ...]:
    """Leave out what is not known."""
    return tuple(fact for fact in facts if fact.value not in ("", None))


def _amount(value: Any) -> Decimal | None:
    return None if value is None else amount_of(value)


def _time(written: Any) -> Plain:
    return datetime.fromisoformat(str(written).replace("Z", "+00:00")) if written else None


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


def _origin_words(link: Mapping[str, Any] | None) -> str:
    if link is None:
        return ""
    key = link["natural_key"]
    if link["origin"] == "matched":
        by = str(link["details"].get("by") or "")
        return f"in BILL before; taken for {key} by {_MATCHED.get(by, by) or 'a match'}"
    how = "created by us" if link["origin"] == "created" else "created by us, found after an answer that was lost"
    return f"{how} from {key}"


def _match_words(link: Mapping[str, Any] | None, found: Mapping[str, Any]) -> str:
    if link is None:
        return str(found.get("reason") or "no vendor yet" if found else "")
    if link["origin"] == "matched":
        by = str(link["details"].get("by") or "")
        person = str(found.get("decided_by") or "")
        return f"{link['remote_id']}, found there by {_MATCHED.get(by, by)}" + (f" ({person})" if person else "")
    return f"{link['remote_id']}, created by us"


def _state_words(details: Mapping[str, Any]) -> str:
    """What the payment's state means, by the table of docs/payment-states.md."""
    state = str(details.get("single_status") or details.get("status") or "")
    return f"{state} in BILL: {str(details['why']).rstrip('.')}" if details.get("why") else ""


def _readback(link: Mapping[str, Any] | None) -> str:
    details = link["details"] if link else {}
    if "read_back" not in details:
        return ""
    differences = int(details.get("differences") or 0)
    return "equal in JD Edwards" if not differences else f"{differences} difference(s) in JD Edwards"
