"""What a payment of each kind leaves in JDE's tables."""

from __future__ import annotations

from jdebill_pipelines_tests.payments.loop import D, Loop, total


def test_a_whole_payment_closes_the_voucher(loop: Loop) -> None:
    """Paid whole: one payment in F0413 and F0414, the voucher closed, the bank credited; a second run posts nothing."""
    bill = next(b for b in loop.open_bills() if b["currency"] == "USD")
    payment = loop.clerk("pay", billId=bill["id"], to="PROCESSED")
    assert loop.payments().counts["posted"] == 1
    assert loop.open_amount(bill["jde"]) == 0
    assert {row["PST"] for row in loop.voucher(bill["jde"]) if D(row.get("AG", 0))} == {"P"}
    rows = loop.paid_rows(bill["jde"])
    assert (total(rows, "PAAP"), len({r["PYID"] for r in rows})) == (bill["amount"], 1)
    (header,) = loop.table("F0413", PYID=rows[0]["PYID"])
    assert (header["DMTJ"], header["GLBA"]) == (payment["processDate"].replace("-", ""), "00000123")
    (write,) = loop.postings()
    assert write.remote_id == f"PYID-{rows[0]['PYID']}"
    assert write.content["reference"] == rows[0]["RMK"]
    assert loop.check("jde/postings", "posting_matches_jde").passed
    assert loop.payments().counts["posted"] == 0
    assert loop.calls("JDEBILL_AP_PAYMENT") == 1
