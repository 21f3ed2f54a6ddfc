"""Forty faults of twelve kinds, planted in the two simulators and in our own database.

Belongs here: doing what goes wrong, and remembering what was done to which document. Does not belong here: looking for
it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from jdebill_pipelines_tests.payments.loop import NAME, D, Loop

Row = dict[str, Any]

KINDS = (
    "posted twice",
    "wrong amount",
    "wrong period",
    "missing posting",
    "voided in BILL only",
    "voided in JDE only",
    "deleted unposted voucher",
    "edited after approval",
    "disguised duplicate",
    "closed period",
    "changed vendor bank",
    "tampered journal row",
)


def _by_clerk(row: Row) -> Row:
    """A row as a clerk leaves it: JDE stamps who and when."""
    return {**{name: value for name, value in row.items() if name not in ("UPMJ", "UPMT")}, "USER": "APCLERK"}


@dataclass
class Planter:
    """Plants faults in a company whose bills are paid and posted.

    Attributes:
        loop: the company.
        today: of both simulators.
        first: of the period: what is moved out of it lies before.
        planted: the key that the report must name, by kind.
        touched: every document, payment and batch that a fault is about: what else may be out of balance for it.
    """

    loop: Loop
    today: date
    first: date
    planted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    touched: set[str] = field(default_factory=set)
    _taken: int = 0

    # -- what there is to spoil ------------------------------------------------------------------------------------

    def paid(self, n: int) -> list[tuple[str, Row, list[Row]]]:
        """The next payments that settled one voucher whole: BILL payment, F0413 row, F0414 rows."""
        lines: dict[str, int] = defaultdict(int)
        for line in self.loop.store.mirror.payment_lines():
            lines[line["payment_id"]] += 1
        bills = {bill["id"]: bill for bill in self.loop.sandbox.control_bill("bills")}
        headers = {int(row["PYID"]): row for row in self.loop.table("F0413")}
        details: dict[int, list[Row]] = defaultdict(list)
        for row in self.loop.table("F0414"):
            details[int(row["PYID"])].append(row)
        found = []
        for write in sorted(self.loop.postings(), key=lambda w: w.natural_key):
            payment, bill, _ = write.natural_key.split(":")
            pyid = int(write.remote_id.removeprefix("PYID-"))
            whole = bills[bill]["paymentStatus"] == "PAID" and len(details[pyid]) == 1 and lines[payment] == 1
            if whole and write.content["route"] == "payment" and D(write.content["amount"]) == bills[bill]["amount"]:
                found.append((payment, headers[pyid], details[pyid]))
        chosen = found[self._taken : self._taken + n]
        self._taken += n
        assert len(chosen) == n, f"the company has {len(found)} such payments only"
        for payment, header, lines_of_it in chosen:
            self.touched |= {payment, f"PYID-{header['PYID']}", _batch(header), *map(_voucher, lines_of_it)}
        return chosen

    def plant(self, kind: str, key: str, *more: str) -> None:
        self.planted[kind].append(key)
        self.touched |= {key, *more}

    def put(self, table: str, *rows: Row) -> None:
        self.loop.sandbox.control_ais(f"tables/{table}", {"rows": list(rows)})

    def drop(self, table: str, **where: Any) -> int:
        query = "&".join(f"{item}={value}" for item, value in where.items())
        return int(self.loop.sandbox.control_ais(f"tables/{table}?{query}", method="DELETE")["deleted"])

    def ledger_of(self, header: Row) -> list[Row]:
        return self.loop.table("F0911", DOC=header["DOCM"], DCT=header["DCTM"], ICU=header["ICU"])

    # -- the twelve kinds -------------------------------------------------------------------------------------------

    def posted_twice(self, by_us: int, by_hand: int) -> None:
        """The posting exists again, under its own reference; and a person paid the voucher again in JDE."""
        for n, (payment, header, details) in enumerate(self.paid(by_us + by_hand)):
            pyid, number = 90_000 + n, 95_000 + n
            remark = details[0]["RMK"] if n < by_us else "second notice"
            user = header["USER"] if n < by_us else "PAYCLERK"
            self.put("F0413", {**header, "PYID": pyid, "DOCM": number, "USER": user})
            self.put("F0414", *({**row, "PYID": pyid, "RMK": remark} for row in details))
            self.put("F0911", *({**row, "DOC": number, "PYID": pyid} for row in self.ledger_of(header)))
            self.plant("posted twice", payment, f"PYID-{pyid}")

    def wrong_amount(self, n: int) -> None:
        """Somebody changed the payment in JDE."""
        for payment, header, details in self.paid(n):
            amount = D(details[0]["PAAP"]) + D("10.00")
            self.put("F0414", {**_by_clerk(details[0]), "PAAP": amount})
            self.put("F0413", {**_by_clerk(header), "PAAP": amount})
            self.plant("wrong amount", payment)

    def wrong_period(self, dated: int, numbered: int) -> None:
        """The ledger lines lie before the period; or only the fiscal period of the payment is another."""
        for n, (payment, header, details) in enumerate(self.paid(dated + numbered)):
            if n < dated:
                before = (self.first - timedelta(days=3 + n)).strftime("%Y%m%d")
                for row in self.ledger_of(header):
                    self.drop("F0911", DOC=row["DOC"], DCT=row["DCT"], JELN=row["JELN"], LT=row["LT"], DGJ=row["DGJ"])
                    self.put("F0911", {**row, "DGJ": before})
            else:
                self.put("F0414", {**details[0], "PN": int(details[0]["PN"]) % 12 + 1})
            self.plant("wrong period", payment)

    def missing_posting(self, deleted: int, never: int) -> None:
        """The payment is deleted in JDE with its ledger lines; or BILL paid after the last run that posts."""
        for payment, header, details in self.paid(deleted):
            (item,) = self.loop.table("F0411", DOC=details[0]["DOC"], DCT=details[0]["DCT"], KCO=details[0]["KCO"])
            self.put("F0411", {**item, "AAP": D(item.get("AAP", 0)) + D(details[0]["PAAP"]), "PST": "A"})
            self.drop("F0911", DOC=header["DOCM"], DCT=header["DCTM"], ICU=header["ICU"])
            self.drop("F0414", PYID=header["PYID"])
            self.drop("F0413", PYID=header["PYID"])
            self.plant("missing posting", payment)
        for bill in self.posted_unpaid()[:never]:
            payment = self.loop.clerk("pay", billId=bill["id"], processDate=self.today.isoformat(), to="PROCESSED")
            self.plant("missing posting", payment["id"], bill["jde"])

    def voided_in_bill(self, n: int) -> None:
        """AP voids the payment, and nobody has run the pipelines since."""
        for payment, _, _ in self.paid(n):
            self.loop.clerk("void", paymentId=payment, reason="Check lost")
            self.plant("voided in BILL only", payment)

    def voided_in_jde(self, n: int) -> None:
        """A person voids the payment in JDE; BILL has paid."""
        for payment, header, _ in self.paid(n):
            inputs = {"Payment Id": int(header["PYID"]), "Void GL Date": self.today.isoformat(), "Remark": "void"}
            self.loop.sandbox.control_ais("clerk/void", inputs)
            self.plant("voided in JDE only", payment)

    def deleted_voucher(self, n: int) -> None:
        """A voucher that is not posted disappears from JDE, as JDE deletes it; its bill waits in BILL."""
        unposted = [bill for bill in self.unpaid() if not self.loop.voucher(bill["jde"])[0].get("POST")]
        assert len(unposted) >= n
        for bill in unposted[:n]:
            (item,) = self.loop.voucher(bill["jde"])
            inputs = {"Document Number": item["DOC"], "Document Type": item["DCT"], "Document Company": item["KCO"]}
            inputs["Void GL Date"] = self.today.isoformat()
            done = self.loop.sandbox.control_ais("clerk/void", inputs)
            assert done["Void Status"] == "DELETED"
            self.plant("deleted unposted voucher", bill["jde"], _batch(item))

    def edited(self, in_bill: int, in_jde: int) -> None:
        """The bill is approved; then its amount changes in BILL, or its voucher's in JDE."""
        bills = self.posted_unpaid()[: in_bill + in_jde]
        self.loop.clerk("approve", billIds=[bill["id"] for bill in bills])
        for n, bill in enumerate(bills):
            item = self.loop.voucher(bill["jde"])[0]
            if n < in_bill:
                line = bill["billLineItems"][0]
                self.loop.clerk(
                    "edit_bill",
                    billId=bill["id"],
                    changes={"billLineItems": [{"id": line["id"], "amount": D(line["amount"]) + D("55.00")}]},
                )
            else:
                more = {name: D(item[name]) + D("55.00") for name in ("AG", "AAP")}
                self.put("F0411", {**_by_clerk(item), **more})
            self.plant("edited after approval", bill["jde"], _batch(item))

    def disguised_duplicate(self, in_jde: int, in_bill: int) -> None:
        """The invoice is entered again under a number that looks like another one."""
        originals = self.numbered(in_jde + in_bill)
        disguises = (
            lambda t: f"INV {t.lower()}",
            lambda t: t.replace("0", "O"),
            lambda t: f"00{t}",
            lambda t: f"no.{t}",
        )
        for n, (item, bill) in enumerate(originals):
            number = disguises[n % len(disguises)](item["VINV"])
            assert number != item["VINV"]
            if n < in_jde:
                made = self.voucher(int(item["AN8"]), number, D(item["AG"]), self.today)
                self.plant("disguised duplicate", made)
            else:
                typed = self.loop.clerk(
                    "create_bill",
                    vendorId=bill["vendorId"],
                    dueDate=self.today.isoformat(),
                    invoice={"invoiceNumber": number, "invoiceDate": self.today.isoformat()},
                    billLineItems=[{"amount": bill["amount"]}],
                )
                self.plant("disguised duplicate", typed["id"])

    def closed_period(self, vouchers: int, journals: int) -> None:
        """The next day somebody opens a closed period again, has documents entered, and closes it."""
        self.loop.sandbox.control_ais("clock", {"advance_days": 1})
        closed = self.today.replace(day=1) - timedelta(days=10)
        with opened(self.loop, closed):
            self._enter_late(closed, vouchers, journals)

    def _enter_late(self, closed: date, vouchers: int, journals: int) -> None:
        (item, _), *_ = self.numbered(1)
        for n in range(vouchers):
            made = self.voucher(int(item["AN8"]), f"LATE-{n}-{closed:%j}", D("71.35") + n, closed)
            self.plant("closed period", made)
        for n in range(journals):
            inputs = {
                "Company": "00001",
                "GL Date": closed.isoformat(),
                "Document Type": "JE",
                "Explanation": f"late correction {n}",
                "Currency": "USD",
                "Lines": [
                    {"Account": expense(self.loop), "Amount": D(12 + n)},
                    {"Account": "1.1110", "Amount": -D(12 + n)},
                ],
            }
            made = self.loop.sandbox.control_ais("clerk/journal", inputs)
            key = f"{made['Document Company']}-{made['Document Type']}-{int(made['Document Number'])}"
            self.plant("closed period", key)

    def changed_bank(self, n: int) -> None:
        """The vendor's bank account is another one."""
        vendors = sorted({bill["vendorId"] for bill in self.unpaid()})[:n]
        assert len(vendors) == n
        for i, vendor in enumerate(vendors):
            account = {
                "nameOnAccount": "Example Vendor",
                "accountNumber": f"99887766{i}",
                "routingNumber": "021000021",
                "type": "CHECKING",
                "ownerType": "BUSINESS",
            }
            self.loop.clerk("change_vendor_bank", vendorId=vendor, bankAccount=account)
            self.plant("changed vendor bank", vendor)

    def tampered_journal(self) -> None:
        """Somebody with rights on the database changes an amount and a name, with the trigger switched off."""
        with self.loop.store.engine.begin() as tx:
            seqs = tx.execute(
                sa.text(
                    "SELECT seq FROM jdebill.journal WHERE connection = :c AND event = 'confirmed' "
                    "ORDER BY seq LIMIT 20"
                ),
                {"c": NAME},
            ).scalars()
            one, *_, other = seqs
            tx.execute(sa.text("ALTER TABLE jdebill.journal DISABLE TRIGGER journal_is_append_only"))
            change = "UPDATE jdebill.journal SET {} WHERE connection = :c AND seq = :seq"
            body = "body = body || jsonb_build_object('amount', 1)"
            tx.execute(sa.text(change.format(body)), {"c": NAME, "seq": one})
            tx.execute(sa.text(change.format("actor = 'somebody else'")), {"c": NAME, "seq": other})
            tx.execute(sa.text("ALTER TABLE jdebill.journal ENABLE TRIGGER journal_is_append_only"))
        for seq in (one, other):
            self.plant("tampered journal row", str(seq))

    # -- helpers of the deeds ------------------------------------------------------------------------------------------

    def unpaid(self) -> list[Row]:
        """Unpaid bills of vouchers in dollars, in an order of their own."""
        bills = [b for b in self.loop.open_bills() if b["currency"] == "USD" and b["approvalStatus"] == "UNASSIGNED"]
        return sorted(bills, key=lambda bill: str(bill["jde"]))

    def posted_unpaid(self) -> list[Row]:
        """Those whose voucher is posted, so that JDE deletes it no more, and of which nobody paid anything in JDE."""
        return [bill for bill in self.unpaid() if self._is_posted_and_open(bill["jde"])]

    def _is_posted_and_open(self, key: str) -> bool:
        items = self.loop.voucher(key)
        return bool(items) and all(row.get("POST") == "D" and row.get("AAP") == row["AG"] for row in items)

    def numbered(self, n: int) -> list[tuple[Row, Row]]:
        """Pay items of paid bills whose number has digits and a zero, with their bill: one per supplier."""
        links = {link.natural_key: link.remote_id for link in self.loop.store.links.all("bill").values()}
        bills = {bill["id"]: bill for bill in self.loop.sandbox.control_bill("bills")}
        found: dict[str, tuple[Row, Row]] = {}
        for item in sorted(self.loop.table("F0411"), key=lambda row: -int(row["DOC"])):
            bill = bills.get(links.get(f"{item['KCO']}-{item['DCT']}-{item['DOC']}", ""))
            number = str(item.get("VINV", ""))
            fits = number.rstrip("0123456789") != number and "0" in number and number[0] != "X" and "~" not in number
            if bill and fits and D(item.get("AG", 0)) > 0 and item["CRCD"] == "USD" and len(number) < 18:
                found.setdefault(number, (item, bill))
        assert len(found) >= n
        return list(found.values())[:n]

    def voucher(self, supplier: int, number: str, amount: Decimal, when: date) -> str:
        """Enter a voucher in JDE as a person; returns its key."""
        return enter_voucher(self.loop, supplier, number, amount, when)


@contextmanager
def opened(loop: Loop, day: date) -> Iterator[None]:
    """Meanwhile the period of a day is the current one of the company (F0010)."""
    (company,) = loop.table("F0010", CO="00001")
    year = f"{day.year}0101"
    loop.sandbox.control_ais(
        "tables/F0010", {"rows": [{**company, "DFYJ": year, "PNC": day.month, "APFJ": year, "APPN": day.month}]}
    )
    try:
        yield
    finally:
        loop.sandbox.control_ais("tables/F0010", {"rows": [company]})


def enter_voucher(loop: Loop, supplier: int, number: str, amount: Decimal, when: date) -> str:
    """Enter a voucher in JDE as a person; returns its key."""
    inputs = {
        "Company": "00001",
        "Supplier Number": supplier,
        "Invoice Number": number,
        "Invoice Date": when.isoformat(),
        "GL Date": when.isoformat(),
        "Gross Amount": amount,
        "Currency": "USD",
        "Lines": [{"Account": expense(loop), "Amount": amount}],
    }
    made = loop.sandbox.control_ais("clerk/voucher", inputs)
    return f"{made['Document Company']}-{made['Document Type']}-{int(made['Document Number'])}"


def expense(loop: Loop) -> str:
    """An account that takes postings."""
    row = next(r for r in loop.table("F0901") if r["OBJ"] == "8140" and not r.get("PEC"))
    return f"{row['MCU'].strip()}.{row['OBJ']}"


def _voucher(row: Row) -> str:
    return f"{row['KCO']}-{row['DCT']}-{row['DOC']}"


def _batch(row: Row) -> str:
    return f"{row['ICUT']} {row['ICU']}"
