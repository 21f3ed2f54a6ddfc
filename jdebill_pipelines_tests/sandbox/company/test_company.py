"""The generated company: consistent to the cent, current, repeatable, and awkward where it says so."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from jdebill_pipelines.domain.tables import TABLES, Kind
from jdebill_pipelines.sandbox.company import SIZES, Company, Size, build_company
from jdebill_pipelines.sandbox.company.model import KEYS, Row

TODAY = date(2026, 11, 28)
ZERO = Decimal(0)


@pytest.fixture(scope="module", params=["demo", "tiny", "tiny on the first of January"])
def company(request: pytest.FixtureRequest) -> Company:
    """Both sizes, and one on the day when month, period and year have just begun."""
    size, _, special = str(request.param).partition(" ")
    return build_company("demo" if size == "demo" else "tiny", today=date(2027, 1, 1) if special else TODAY)


def total(rows: Iterable[Row], item: str) -> Decimal:
    """Sum of a column."""
    return sum((Decimal(str(row[item])) for row in rows), ZERO)


def grouped(rows: Iterable[Row], *items: str) -> dict[tuple[object, ...], list[Row]]:
    """Rows by the values of some columns."""
    found: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[tuple(row[i] for i in items)].append(row)
    return found


def test_sizes_are_what_they_say() -> None:
    """About 300 suppliers and 3,000 documents, or 12 and 40; other numbers on request."""
    sizes: list[tuple[Size, dict[str, int]]] = [
        ("demo", {}),
        ("tiny", {}),
        ("demo", {"suppliers": 30, "documents": 200}),
    ]
    for size, more in sizes:
        made = build_company(size, today=TODAY, **more)
        suppliers, documents = (more["suppliers"], more["documents"]) if more else SIZES[size]
        count = len(made.tables["F4301"]) + len(grouped(made.tables["F0411"], "KCO", "DCT", "DOC"))
        assert len(made.tables["F0401"]) == suppliers
        assert documents <= count <= documents + 3 or size == "tiny"
        assert count >= documents


def test_same_arguments_give_the_same_company() -> None:
    """Row for row; another seed or day gives another one."""
    first = build_company("tiny", today=TODAY)
    again = build_company("tiny", today=TODAY)
    assert all(first.text_rows(t) == again.text_rows(t) for t in KEYS)
    assert first.awkward == again.awkward
    assert build_company("tiny", today=TODAY, seed=8).text_rows("F0411") != first.text_rows("F0411")


def test_keys_are_unique_and_named_as_in_jde(company: Company) -> None:
    """Every table's primary key is unique and the one that the product knows."""
    for table, rows in company.tables.items():
        assert rows, table
        if table in TABLES:  # F0015 is read by JDE's own programs alone
            assert TABLES[table].key == KEYS[table] or set(TABLES[table].key) == set(KEYS[table]), table
        assert len(grouped(rows, *KEYS[table])) == len(rows), table


def test_columns_have_the_kind_the_product_expects(company: Company) -> None:
    """Dates are dates, amounts Decimals, never floats; every column the product reads is there or blank."""
    kinds: dict[Kind, tuple[type, ...]] = {
        Kind.TEXT: (str,),
        Kind.NUMBER: (int, Decimal),
        Kind.DATE: (date, type(None)),
        Kind.TIME: (int,),
    }
    for table, rows in company.tables.items():
        for row in rows:
            for item, value in row.items():
                assert not isinstance(value, float), (table, item)
                if table in TABLES and item in TABLES[table].columns:
                    assert isinstance(value, kinds[TABLES[table].columns[item]]), (table, item, value)


def test_a_voucher_is_its_distribution_and_its_tax(company: Company) -> None:
    """Gross = sum of the lines + tax, in dollars and, where it is foreign, in its own currency (CA rows)."""
    ledger = grouped(company.tables["F0911"], "KCO", "DCT", "DOC", "LT")
    for (kco, dct, doc), rows in grouped(company.tables["F0411"], "KCO", "DCT", "DOC").items():
        live = [r for r in rows if r["SFXE"] == 0]
        assert total(live, "AG") == total(ledger[kco, dct, doc, "AA"], "AA") + total(live, "STAM"), doc
        assert all(Decimal(str(r["AG"])) == total([r], "ATXA") + total([r], "ATXN") + total([r], "STAM") for r in live)
        if live[0]["CRRM"] == "F":
            assert total(live, "ACR") == total(ledger[kco, dct, doc, "CA"], "AA") + total(live, "CTAM"), doc
        else:
            assert (kco, dct, doc, "CA") not in ledger


def test_every_posted_batch_nets_to_zero(company: Company) -> None:
    """With the automatic offsets, each posted batch is balanced in dollars and in every foreign currency."""
    posted = [r for r in company.tables["F0911"] if r["POST"] == "P"]
    assert len(posted) > len(company.tables["F0911"]) / 2
    for key, rows in grouped(posted, "ICUT", "ICU", "LT", "CRCD").items():
        if key[0] != "K" or key[2] == "AA":
            assert total(rows, "AA") == 0, key
    headers = {(r["ICUT"], r["ICU"]): r for r in company.tables["F0011"]}
    for key, rows in grouped(company.tables["F0411"], "ICUT", "ICU").items():
        assert total(rows, "AG") == headers[key[0], key[1]]["AME"], key
        assert {r["POST"] for r in rows} == {"D" if headers[key[0], key[1]]["IST"] == "D" else ""}


def test_the_subledger_equals_the_control_account(company: Company) -> None:
    """Open posted vouchers equal the balance of the payables account, by lines and by F0902."""
    payables = next(r["AID"] for r in company.tables["F0901"] if r["OBJ"] == "4110")
    lines = [r for r in company.tables["F0911"] if r["AID"] == payables and r["LT"] == "AA" and r["POST"] == "P"]
    posted_payments = {r["PYID"] for r in company.tables["F0413"] if r["ISTP"] == "D"}
    unposted = [r for r in company.tables["F0414"] if r["PYID"] not in posted_payments]
    still_open = [r for r in company.tables["F0411"] if r["POST"] == "D"]
    assert total(still_open, "AAP") + total(unposted, "PAAP") == -total(lines, "AA")
    balances = [r for r in company.tables["F0902"] if r["AID"] == payables]
    assert sum((total(balances, f"AN{n:02d}") for n in range(1, 15)), ZERO) == total(lines, "AA")


def test_payments_explain_what_is_no_longer_open(company: Company) -> None:
    """Gross minus paid minus voided is open; a payment's header is the sum of its details."""
    paid = grouped(company.tables["F0414"], "KCO", "DCT", "DOC", "SFX")
    for key, rows in grouped(company.tables["F0411"], "KCO", "DCT", "DOC", "SFX").items():
        assert total(rows, "AG") - total(paid.get(key, []), "PAAP") == total(rows, "AAP"), key
        assert all((r["PST"] == "P") == (r["AAP"] == 0) for r in rows), key
    details = grouped(company.tables["F0414"], "PYID")
    for header in company.tables["F0413"]:
        assert total(details[(header["PYID"],)], "PAAP") == header["PAAP"] != 0


def test_an_order_is_its_lines_and_receipts(company: Company) -> None:
    """Header = lines; extended = open + received + cancelled; received = receipts; vouchered = matched vouchers."""
    lines = grouped(company.tables["F4311"], "DOCO")
    receipts = grouped(company.tables["F43121"], "DOCO", "LNID", "MATC")
    for header in company.tables["F4301"]:
        own = lines[(header["DOCO"],)]
        assert total(own, "AEXP") == header["OTOT"]
        for line in own:
            left = total([line], "AOPN") + total([line], "AREC")
            assert left == line["AEXP"] or (line["CNDJ"] is not None and left <= total([line], "AEXP"))
            mine = receipts.get((line["DOCO"], line["LNID"], "1"), [])
            assert total(mine, "AREC") == line["AREC"]
            assert total(mine, "UREC") == line["UREC"]
            assert total(mine, "APTD") == total(receipts.get((line["DOCO"], line["LNID"], "2"), []), "AREC")
    for (dct, doc), rows in grouped([r for r in company.tables["F43121"] if r["MATC"] == "2"], "DCT", "DOC").items():
        voucher = [r for r in company.tables["F0411"] if (r["DCT"], r["DOC"]) == (dct, doc)]
        assert total(voucher, "AG") == total(rows, "AREC")
        assert {int(str(r["PO"])) for r in voucher} == {r["DOCO"] for r in rows}


def test_every_reference_leads_somewhere(company: Company) -> None:
    """Accounts, business units, suppliers, terms, currencies and companies of all documents exist."""
    known: dict[str, set[object]] = {
        "AID": {r["AID"] for r in company.tables["F0901"]},
        "GLBA": {r["AID"] for r in company.tables["F0030"]},
        "MCU": {r["MCU"] for r in company.tables["F0006"]},
        "AN8": {r["AN8"] for r in company.tables["F0101"]} | {0},
        "PYE": {r["AN8"] for r in company.tables["F0401"]},
        "PTC": {r["PTC"] for r in company.tables["F0014"]},
        "CRCD": {r["CRCD"] for r in company.tables["F0013"]} | {""},
        "CO": {r["CO"] for r in company.tables["F0010"]},
        "KCO": {r["CO"] for r in company.tables["F0010"]},
    }
    for table in ("F0401", "F0411", "F0413", "F0414", "F0911", "F0901", "F0006", "F4301", "F4311", "F43121"):
        for row in company.tables[table]:
            for item, values in known.items():
                if item in row:
                    assert row[item] in values, (table, item, row[item])


def test_it_looks_current(company: Company) -> None:
    """No document and no change lies after today or before the start; today's period is the open one."""
    documents: list[tuple[str, str]] = [("F0411", "DGJ"), ("F0911", "DGJ"), ("F4301", "TRDJ"), ("F43121", "RCDJ")]
    for table, item in documents:
        days = [r[item] for r in company.tables[table]]
        assert all(isinstance(d, date) and company.start <= d <= company.today for d in days), table
    for table, rows in company.tables.items():
        for row in rows:
            changed = row.get("UPMJ")
            assert changed is None or (isinstance(changed, date) and changed <= company.today), table
    own = next(r for r in company.tables["F0010"] if r["CO"] == company.company)
    years = {r["DFYJ"]: r for r in company.tables["F0008"]}
    end = years[own["DFYJ"]][f"D{own['APPN']:02d}J"]
    assert isinstance(end, date)
    assert end.replace(day=1) <= company.today <= end
    assert company.start + timedelta(days=150) < company.today


def test_every_awkward_case_is_in_every_size(company: Company) -> None:
    """The same cases whatever the size, each with a key that exists, a reason and an outcome."""
    keys = {str(r["AN8"]) for r in company.tables["F0401"]}
    keys |= {f"{r['KCO']}-{r['DCT']}-{r['DOC']}" for r in company.tables["F0411"]}
    keys |= {f"{r['KCOO']}-{r['DCTO']}-{r['DOCO']}-{r['SFXO']}" for r in company.tables["F4301"]}
    assert {a.key for a in company.awkward} <= keys
    assert len({a.case for a in company.awkward}) == len(company.awkward)
    assert {a.case for a in company.awkward} == {a.case for a in build_company("tiny", today=TODAY, seed=99).awkward}
    assert {a.outcome for a in company.awkward} == {"bill", "credit", "vendor", "held", "not due"}
    assert all(a.why for a in company.awkward)


def _case(company: Company, case: str) -> str:
    return next(a.key for a in company.awkward if a.case == case)


def _voucher(company: Company, case: str) -> list[Row]:
    doc = int(_case(company, case).rsplit("-", 1)[1])
    return [r for r in company.tables["F0411"] if r["DOC"] == doc]


def _lines(company: Company, case: str) -> list[Row]:
    doc = int(_case(company, case).rsplit("-", 1)[1])
    return [r for r in company.tables["F0911"] if r["DOC"] == doc and r["DCT"] == "PV"]


def _order(company: Company, case: str, table: str) -> list[Row]:
    number = int(_case(company, case).split("-")[2])
    return [r for r in company.tables[table] if r["DOCO"] == number]


def _account(company: Company, aid: object) -> Row:
    return next(r for r in company.tables["F0901"] if r["AID"] == aid)


def _unit(company: Company, mcu: object) -> Row:
    return next(r for r in company.tables["F0006"] if r["MCU"] == mcu)


CLAIMS: dict[str, Callable[[Company], bool]] = {
    "foreign voucher": lambda c: {r["LT"] for r in _lines(c, "foreign voucher")} == {"AA", "CA"},
    "yen voucher": lambda c: all(str(r["ACR"]).isdecimal() for r in _voucher(c, "yen voucher")),
    "three pay items": lambda c: [r["SFX"] for r in _voucher(c, "three pay items")] == ["001", "002", "003"],
    "credit memo": lambda c: total(_voucher(c, "credit memo"), "AAP") < 0,
    "long invoice number": lambda c: len(str(_voucher(c, "long invoice number")[0]["VINV"])) == 25,
    "blank invoice number": lambda c: _voucher(c, "blank invoice number")[0]["VINV"] == "",
    "partly paid": lambda c: 0 < total(_voucher(c, "partly paid"), "AAP") < total(_voucher(c, "partly paid"), "AG"),
    "discount and tax": lambda c: all(r["STAM"] and r["ADSC"] for r in _voucher(c, "discount and tax")),
    "voided voucher": lambda c: total(_voucher(c, "voided voucher"), "AG") == 0,
    "inactive account": lambda c: "I" in {_account(c, r["AID"])["PEC"] for r in _lines(c, "inactive account")},
    "non-posting account": lambda c: "N" in {_account(c, r["AID"])["PEC"] for r in _lines(c, "non-posting account")},
    "closed business unit": lambda c: "N" in {_unit(c, r["MCU"])["PECC"] for r in _lines(c, "closed business unit")},
    "account of another company": lambda c: (
        "00070" in {_account(c, r["AID"])["CO"] for r in _lines(c, "account of another company")}
    ),
    "amount-only line": lambda c: any(
        r["UORG"] == 0 and total([r], "AEXP") > 0 for r in _order(c, "amount-only line", "F4311")
    ),
    "cancelled line": lambda c: [r["NXTR"] for r in _order(c, "cancelled line", "F4311")] == ["400", "999", "400"],
    "pending order": lambda c: "1N" in {r["ASTS"] for r in _order(c, "pending order", "F4209")},
    "second approval pending": lambda c: "2N" in {r["ASTS"] for r in _order(c, "second approval pending", "F4209")},
    "order on hold": lambda c: _order(c, "order on hold", "F4301")[0]["HOLD"] != "",
    "unreleased hold": lambda c: None in {r["RDJ"] for r in _order(c, "unreleased hold", "F4209")},
    "voucher of a billed order": lambda c: (
        int(str(_voucher(c, "voucher of a billed order")[0]["PO"]))
        == _order(c, "order billed and partly vouchered", "F4301")[0]["DOCO"]
    ),
    "supplier without address": lambda c: (
        _case(c, "supplier without address") not in {str(r["AN8"]) for r in c.tables["F0116"]}
    ),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_an_awkward_case_is_what_it_claims(company: Company, case: str) -> None:
    """The rows behind a case show what its description says."""
    assert CLAIMS[case](company)


def test_files_hold_the_same_rows(tmp_path: Path) -> None:
    """Written and read back: YYYYMMDD dates, decimals applied, blank is empty, UTF-8, sorted by key."""
    company = build_company("tiny", today=TODAY)
    company.write(tmp_path)
    assert {p.stem for p in tmp_path.iterdir()} == set(KEYS)
    for table in KEYS:
        with (tmp_path / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            assert list(csv.DictReader(file)) == company.text_rows(table)
    vouchers = company.text_rows("F0411")
    assert [int(r["DOC"]) for r in vouchers] == sorted(int(r["DOC"]) for r in vouchers)
    assert all(len(r["DGJ"]) == 8 and r["DGJ"].isdecimal() for r in vouchers)
    assert "サンプル商事株式会社" in (tmp_path / "F0101.csv").read_text("utf-8")
