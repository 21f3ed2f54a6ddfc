"""`jdebill audit trace` over a small company: from every key to the same chain, and what the chain tells."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from jdebill_pipelines_tests.audit_trace.conftest import Told
from jdebill_pipelines_tests.audit_trace.story import WHO, WHY
from jdebill_pipelines_tests.support.commands import Command

pytestmark = [pytest.mark.timeout(600)]
D = Decimal
Json = dict[str, Any]
CHAINS = ("parts", "order", "voided", "overridden", "fixed", "matched", "typed", "together")
# The kinds that the chain of each has, beside supplier and vendor.
JDE_VOUCHER = {"voucher", "bill", "payment", "posting", "jde-payment"}
KINDS = {"order": JDE_VOUCHER | {"order"}, "typed": {"bill", "payment", "posting", "entry"}}
# Chains that are asked for in every form of every key; the others by exact keys.
EVERY_FORM = ("order", "typed", "parts")


def key_of(told: Told, name: str) -> str:
    """The document that a chain is named for."""
    key = getattr(told.story, name)
    return str(key[0] if isinstance(key, tuple) else key)


def nodes_of(found: Json, kind: str) -> list[Json]:
    """The members of a kind."""
    return [node for node in found["nodes"] if node["kind"] == kind]


def amount(value: Any) -> Decimal:
    """An amount beside its currency."""
    return D(str(value["amount"]))


def names_of(node: Json) -> set[str]:
    """Every way to name a member, exact and bare."""
    names = {node["ref"], node["key"]}
    facts = node["facts"]
    if node["kind"] == "jde-payment":
        names |= {f"PYID-{node['key']}", re.findall(r"\d+", node["title"])[0]}
    elif node["kind"] in ("voucher", "order", "entry"):
        names |= {"-".join(node["key"].split("-")[1:3]), f"{node['kind']}:{node['key'].split('-')[2]}"}
    elif node["kind"] == "payment":
        names |= {
            facts["confirmation"],
            facts["transaction"],
            *([facts["check_number"]] if "check_number" in facts else []),
        }
    elif node["kind"] == "posting":
        names |= {facts["reference"]}
    if "invoice_number" in facts:
        names |= {f"invoice:{facts['invoice_number']}", f"invoice:{facts['invoice_number'].lower()}"}
    return names


@pytest.mark.parametrize("name", CHAINS)
def test_every_key_leads_to_the_same_chain(told: Told, trace: Command, name: str) -> None:
    """Order, voucher, invoice number, bill, payment, posting, JDE payment, journal entry: one chain, both ways."""
    whole = trace(key_of(told, name), "--json").json
    kinds = {node["kind"] for node in whole["nodes"]}
    assert kinds == KINDS.get(name, JDE_VOUCHER) | {"supplier", "vendor"}
    tried = set()
    for node in whole["nodes"]:
        if node["kind"] in ("supplier", "vendor"):
            continue
        for key in sorted(names_of(node)) if name in EVERY_FORM else [node["ref"]]:
            said = trace(key, "--json")
            assert said.code == 0, (key, said.err)
            found = said.json
            assert node["ref"] in found["asked"] or key.startswith("invoice:"), key
            assert {**found, "asked": []} == {**whole, "asked": []}, key
            tried.add(key.split(":")[0] if ":" in key else node["kind"])
    assert tried >= KINDS.get(name, JDE_VOUCHER) | ({"invoice"} if name in EVERY_FORM else set())


def test_supplier_and_vendor_lead_to_all_of_their_documents(told: Told, trace: Command) -> None:
    """By address number, vendor id and name: the matched supplier's chains, the latest first, the rest counted."""
    story = told.story
    all_ = trace(f"supplier:{story.supplier}", "--documents", "500", "--json").json
    assert all_["left_out"] == 0
    keys = {node["key"] for node in all_["nodes"]}
    assert {story.matched, *story.together, *(story.payments[story.matched])} <= keys
    (vendor,) = nodes_of(all_, "vendor")
    name = vendor["title"].removeprefix(f"BILL vendor {story.vendor} ")
    for key in (story.vendor, f"vendor:{story.vendor}", f"vendor:{name.upper()}"):
        found = trace(key, "--documents", "500", "--json").json
        assert {**found, "asked": []} == {**all_, "asked": []}, key
    some = trace(story.vendor, "--documents", "3", "--json").json
    assert 0 < some["left_out"] < len(keys)
    assert len(some["nodes"]) < len(keys)
    said = trace(story.vendor, "--documents", "3")
    assert f"{some['left_out']} more documents were not followed" in said.err


@pytest.mark.parametrize("name", CHAINS)
def test_amounts_are_those_of_both_systems(told: Told, trace: Command, name: str) -> None:
    """Vouchers, bills, payments, shares and ledger lines, to the cent, as the simulators' own tables have them."""
    world = told.world
    found = trace(key_of(told, name), "--json").json
    for node in nodes_of(found, "voucher"):
        rows = world.jde("F0411", f"DOC={node['key'].split('-')[2]}")
        foreign = rows[0]["CRRM"] == "F"
        gross, left = ("ACR", "FAP") if foreign else ("AG", "AAP")
        assert amount(node["facts"]["amount"]) == sum(D(row.get(gross, 0)) for row in rows)
        assert amount(node["facts"]["open"]) == sum(D(row.get(left, 0)) for row in rows)
        assert node["facts"]["amount"]["currency"] == rows[0]["CRCD"]
        lines = world.jde("F0911", f"DOC={node['key'].split('-')[2]}&DCT={node['key'].split('-')[1]}&LT=AA")
        shown = sorted((line["account_id"], D(str(line["amount"]))) for line in node["lines"] if "account_id" in line)
        assert shown == sorted((row["AID"], D(row["AA"])) for row in lines)
    bills = {bill["id"]: bill for bill in world.bill("bill")}
    payments = {payment["id"]: payment for payment in world.sandbox.control_bill("payments")}
    for node in nodes_of(found, "bill"):
        bill = bills[node["key"]]
        assert [amount(node["facts"][n]) for n in ("amount", "open")] == [bill["amount"], bill["dueAmount"]]
        assert [D(str(x["amount"])) for x in node["lines"]] == [D(x["amount"]) for x in bill["billLineItems"]]
    shares = {(t["from"], t["to"]): D(str(t["amount"])) for t in found["ties"] if t["what"] == "paid by"}
    told_shares = {
        (f"bill:{part['billId']}", f"payment:{p['id']}"): part["amount"]
        for p in payments.values()
        for part in p["billPayments"]
        if f"payment:{p['id']}" in {node["ref"] for node in found["nodes"]}
    }
    assert shares == told_shares != {}
    for node in nodes_of(found, "payment"):
        assert amount(node["facts"]["amount"]) == payments[node["key"]]["amount"]
        assert node["facts"]["state"] == payments[node["key"]]["singleStatus"]
    for node in nodes_of(found, "jde-payment"):
        rows = world.jde("F0414", f"PYID={node['key']}")
        paid = [row for row in rows if row["DCTM"] != "PO"]
        item = "PFAP" if paid[0]["CRRM"] == "F" else "PAAP"
        assert amount(node["facts"]["amount"]) == sum(D(row[item]) for row in paid)
        ledger = sorted(D(row["AA"]) for row in world.jde("F0911", f"PYID={node['key']}&LT=AA"))
        assert sorted(D(str(line["amount"])) for line in node["lines"] if "account_id" in line) == ledger != []
        assert sum(ledger) == 0
    for node in nodes_of(found, "entry"):
        rows = world.jde("F0911", f"DOC={node['key'].split('-')[2]}&DCT=JE&LT=AA")
        assert sorted(D(str(line["amount"])) for line in node["lines"]) == sorted(D(row["AA"]) for row in rows)
        assert amount(node["facts"]["amount"]) == D("200.01")


def test_a_voucher_paid_in_two_parts(told: Told, trace: Command) -> None:
    """Two payments, two postings, two JDE payments under one bill; who posted, in which run, as which journal entry."""
    said = trace(told.story.parts)
    found = trace(told.story.parts, "--json").json
    assert len(nodes_of(found, "payment")) == len(nodes_of(found, "jde-payment")) == 2
    parts = [D(str(tie["amount"])) for tie in found["ties"] if tie["what"] == "paid by"]
    (voucher,) = nodes_of(found, "voucher")
    assert sum(parts) == amount(voucher["facts"]["amount"])
    assert amount(voucher["facts"]["open"]) == 0
    for posting in nodes_of(found, "posting"):
        assert (
            posting["facts"]["because"]
            == f"the bill came from voucher {told.story.parts} (sync.writeback.voucher: payment)"
        )
        assert posting["facts"]["decided_by"] == "PROCESSED in BILL: The payer was debited"
        assert posting["facts"]["compared"] == "equal in JD Edwards"
        (sent,) = [event for event in posting["events"] if event["what"] == "post confirmed"]
        entry = told.world.store.journal.read(natural_keys=[posting["key"]], events=["confirmed"])[0]
        assert (sent["who"], sent["run_id"], sent["journal"]) == ("test", entry.run_id, entry.seq)
        assert found["runs"][entry.run_id]["actor"] == "test"
    for payment in nodes_of(found, "jde-payment"):
        why = {line["account"]: line["why"] for line in payment["lines"] if "why" in line}
        assert why["1.1110"] == "bank account of the connection (sync.bank_account)"
        assert why["1.4110"].startswith("trade account of the voucher, which the post of batch V")
    for amount_, payment in zip(sorted(parts), told.story.payments[told.story.parts], strict=True):
        assert f"paid by {amount_:,.2f} USD: BILL payment {payment}" in said.out


def test_the_override_says_who_and_why(told: Told, trace: Command) -> None:
    """Held for a hold, let pass by a person: cause, person, reason, journal entry, and the verdict that names them."""
    found = trace(told.story.overridden, "--json").json
    (voucher,) = nodes_of(found, "voucher")
    events = {event["what"]: event for event in voucher["events"]}
    assert list(events) == ["held", "override", "released", "passed the gate"]
    assert "are on hold (hold code Y)" in events["held"]["why"]
    assert "To do: Release the payment hold" in events["held"]["why"]
    assert (events["override"]["who"], events["override"]["why"]) == (WHO, f"rule supplier_hold: {WHY}")
    assert events["override"]["journal"] > 0
    assert events["passed the gate"]["why"] == f"{WHO} let the rule supplier_hold pass"
    said = trace(told.story.overridden)
    assert f"override by {WHO} (journal entry {events['override']['journal']}): rule supplier_hold: {WHY}" in flat(
        said.out
    )


def test_the_fix_says_who_corrected_it(told: Told, trace: Command) -> None:
    """A voucher that did not balance: both verdicts, what was wrong, and the JDE user who changed it."""
    found = trace(told.story.fixed, "--json").json
    (voucher,) = nodes_of(found, "voucher")
    whats = [event["what"] for event in voucher["events"]]
    assert "failed the gate" in whats
    assert whats.index("held") < whats.index("released")
    released = next(event for event in voucher["events"] if event["what"] == "released")
    assert released["who"].endswith("in JD Edwards")
    assert released["why"].startswith("the rule ")


def test_the_void_is_told_on_both_sides(told: Told, trace: Command) -> None:
    """Paid, posted, voided in BILL with a reason, reversed in JDE: two states, two postings, one JDE payment."""
    found = trace(told.story.voided, "--json").json
    (payment,) = nodes_of(found, "payment")
    assert [event["what"] for event in payment["events"]] == ["PROCESSED / PAID", "VOIDED / VOID"]
    assert payment["facts"]["void_reason"] == "Sent to the wrong address"
    post, reverse = nodes_of(found, "posting")
    assert [p["key"].rsplit(":", 1)[1] for p in (post, reverse)] == ["post", "reverse"]
    (paid,) = nodes_of(found, "jde-payment")
    assert paid["facts"]["voided_on"]
    assert sum(D(str(line["amount"])) for line in paid["lines"] if "account_id" not in line) == 0
    ties = {(tie["from"], tie["what"]) for tie in found["ties"] if tie["to"] == paid["ref"]}
    assert {(post["ref"], "written as"), (reverse["ref"], "voided")} <= ties
    (voucher,) = nodes_of(found, "voucher")
    assert voucher["facts"]["open"] == voucher["facts"]["amount"]
    assert f"PYID-{paid['key']} was voided in BILL: Sent to the wrong address" in flat(trace(told.story.voided).out)


def test_the_match_says_by_what(told: Told, trace: Command) -> None:
    """The vendor was in BILL before and was taken for the supplier by its tax id; its name was JDE's afterwards."""
    found = trace(told.story.matched, "--json").json
    (vendor,), (supplier,) = nodes_of(found, "vendor"), nodes_of(found, "supplier")
    assert vendor["key"] == told.story.vendor
    assert vendor["facts"]["origin"] == f"in BILL before; taken for {told.story.supplier} by its tax id"
    assert supplier["facts"]["in_bill"] == f"{told.story.vendor}, found there by its tax id"
    (tie,) = [tie for tie in found["ties"] if tie["to"] == vendor["ref"]]
    assert (tie["from"], tie["what"], tie["by"]) == (supplier["ref"], "is in BILL", "link, matched")
    renamed = next(event for event in vendor["events"] if event["what"] == "name changed in BILL")
    assert renamed["why"].startswith("The Old Name Inc to ")


def test_accounts_say_which_rule_chose_them(told: Told, trace: Command) -> None:
    """From the ledger line to BILL's account and department, and from a typed bill's account back to JDE's."""
    found = trace(told.story.parts, "--json").json
    (bill,) = nodes_of(found, "bill")
    (line,) = bill["lines"]
    (row,) = told.world.jde("F0911", f"DOC={told.story.parts.split('-')[2]}&DCT=PV&LT=AA")
    assert line["account_id"] == row["AID"]
    assert line["account"] == f"{row['MCU'].strip()}.{row['OBJ']}" + (f".{row['SUB']}" if row.get("SUB") else "")
    assert line["bill_account"].startswith(row["OBJ"])
    assert line["department"].startswith(row["MCU"].strip())
    assert line["why"] == "JELN 1, by sync.gl: account {object}, department {business_unit}"
    typed = trace(told.story.typed, "--json").json
    (typed_line,) = nodes_of(typed, "bill")[0]["lines"]
    assert (typed_line["account"], typed_line["why"]) == (line["account"], "stands for this account of JD Edwards")
    (entry,) = nodes_of(typed, "entry")
    assert {x["account"] for x in entry["lines"]} == {line["account"], "1.1110"}


def test_a_key_that_fits_several_lists_them(told: Told, trace: Command) -> None:
    """An order's number that is an invoice number too: both are told with their exact keys, which then work."""
    order = sorted(told.world.jde("F4301"), key=lambda row: row["DOCO"])[0]
    key = f"{order['KCOO']}-{order['DCTO']}-{order['DOCO']}-{order['SFXO']}"
    said = trace(str(order["DOCO"]))
    assert said.code == 1
    assert {f"order:{key}", f"voucher:{told.story.confused}"} <= set(said.out.split())
    assert f"say which, for example order:{key}" in said.err
    found = trace(str(order["DOCO"]), "--json")
    assert found.code == 1
    listed = [one["ref"] for one in found.json["found"]]
    assert listed[:1] == [f"order:{key}"]
    assert f"voucher:{told.story.confused}" in listed
    for exact in listed:
        assert exact in trace(exact, "--json").json["asked"]
    invoice = trace(f"invoice:{order['DOCO']}", "--json").json
    assert f"voucher:{told.story.confused}" in invoice["asked"]


def test_a_key_that_nobody_knows_says_what_was_looked_for(told: Told, trace: Command) -> None:
    """Exit code 1, nothing on standard output but with --json; each kind of key with its forms, or the one named."""
    said = trace("no such thing")
    assert (said.code, said.out) == (1, "")
    assert "nothing of acme is called 'no such thing'" in said.err
    for words in ("order ", "KCO-DCT-DOC", "F0411.VINV", "BILL's id (stp...)", "PYID-", "journal:123"):
        assert words in said.err
    one = trace("voucher:999999")
    assert one.code == 1
    assert "KCO-DCT-DOC" in one.err
    assert "KCOO-DCTO" not in one.err
    found = trace("voucher:x", "--json")
    assert (found.code, found.json["found"], [x["kind"] for x in found.json["looked_for"]]) == (1, [], ["voucher"])
    for key in ("0", "99999999999999999999999999", "%", "'; drop table x", "journal:1x", "a:b:post", "-", "::"):
        assert trace(key).code == 1, key


def test_an_entry_of_our_journal_leads_to_its_document(told: Told, trace: Command) -> None:
    """By its number, as packs name it; a number alone is never taken for one."""
    (entry,) = told.world.store.journal.read(natural_keys=[told.story.overridden], events=["override"])
    found = trace(f"journal:{entry.seq}", "--json").json
    assert found["asked"] == [f"voucher:{told.story.overridden}"]
    assert trace(str(entry.seq)).code == 1


def flat(text: str) -> str:
    """The words without the tree around them and its line breaks."""
    return " ".join(re.sub("[\u2500-\u257f]", " ", text).split())
