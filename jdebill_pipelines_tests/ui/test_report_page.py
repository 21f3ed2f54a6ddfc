"""What a controller sees of a pack: the page on screen and on paper, filtered, sorted, with nothing from outside."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from jdebill_pipelines.audit.model import Column, Rule, Section, Shape
from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.audit.pack.traces import Traced
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.journal import Head
from jdebill_pipelines_tests.audit_pack import synthetic
from jdebill_pipelines_tests.ui.conftest import SHOTS, shot

pytestmark = [pytest.mark.ui, pytest.mark.timeout(300)]

ROWS, FAULTS = 3_000, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of a month with 3,000 payments, 90 of them wrong."""
    folder = tmp_path_factory.mktemp("pack") / "acme-2026-10"
    month = synthetic.month(ROWS, faults=FAULTS)
    write_pack(month, folder, vault=Vault(bytes(32)), journal=Head(12, "ab" * 32), packed_by="1.2.3", trace_of=chain)
    return folder


def chain(key: str) -> tuple[Traced, ...]:
    """A chain of its own for every payment that the trace lists; nothing for the others."""
    if not key.startswith("stp01"):
        return ()
    seen = ("2026-10-02 18:04:00 UTC (12:04 MDT)", "PROCESSED <i>by list</i>")
    payment = Traced(
        f"BILL payment {key}",
        (("Amount", "12.34 USD"), ("Note", "<b>not bold</b>")),
        tie="paid by 12.34 USD",
        events=(seen,),
        notes=("JD Edwards' copy does not have it",),
    )
    line = ("line 1", "12.34 USD", "150.8610 = BILL 8610 Rent, department 150", "by sync.gl")
    bill = Traced("BILL bill 00n7", (("Approved", "2026-10-02"),), (payment,), tie="billed as", lines=(line,))
    return (Traced("Voucher 00001-PV-700012", (("Supplier", "60001"), ("G/L date", "2026-10-01")), (bill,)),)


@pytest.fixture
def report(browser: Browser, folder: Path) -> Iterator[Page]:
    """The page in a browser; the test fails on any script error, refused style, or request beyond the file."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, offline=True)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("request", lambda asked: None if asked.url.startswith("file://") else wrong.append(asked.url))
    page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
    page.goto((folder / "report.html").as_uri())
    yield page
    context.close()
    assert wrong == []


def column(page: Page, procedure: str, number: int) -> list[str]:
    """The texts of a column's cells that are shown, from above."""
    script = (
        "(rows, at) => rows.filter(row => !row.hidden).map(row => row.cells[at].textContent)"
    )  # fmt: skip
    found = page.locator(f"#{procedure} table.rows tbody tr").evaluate_all(script, number)
    assert isinstance(found, list)
    return found


def test_summary_says_first_whether_it_matches_and_by_how_much(report: Page) -> None:
    """Verdict, tie-out per company and currency, procedures with exceptions as links, four charts."""
    expect(report.locator(".verdict")).to_contain_text("Not matched")
    expect(report.locator(".verdict")).to_contain_text("off by 12.34 USD in company 00001")
    expect(report.locator("#summary table").first.locator("tbody tr").first).to_contain_text("4,812,345.67")
    assert report.locator("figure svg").count() >= 3
    for svg in report.locator("figure svg").all():
        box = svg.bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 60
    shot(report, "report-summary")
    report.locator("#exceptions a", has_text="Payment trace").click()
    expect(report.locator("#payment_trace h3")).to_be_in_viewport()
    shot(report, "report-procedure")


def test_table_is_filtered_by_words_and_to_exceptions(report: Page) -> None:
    """2,000 of 3,000 rows are on the page, all 90 exceptions among them; words narrow them down; the count is told."""
    section = report.locator("#payment_trace")
    expect(section.locator("output")).to_have_text("2,000 of 2,000 rows")
    expect(section).to_contain_text("1,000 more are in csv/payment_trace.csv")
    section.get_by_label("Exceptions only").check()
    expect(section.locator("output")).to_have_text("90 of 2,000 rows")
    assert len(column(report, "payment_trace", 0)) == 90
    section.get_by_role("searchbox").fill("not posted industries")
    rows = [r for r in synthetic.trace_rows(ROWS, FAULTS)
            if r["exception"] == "not posted" and "Industries" in r["vendor"]]  # fmt: skip
    expect(section.locator("output")).to_have_text(f"{len(rows)} of 2,000 rows")
    assert column(report, "payment_trace", 0) == [row["payment_id"] for row in rows]
    shot(report, "report-filtered")
    section.get_by_role("searchbox").fill("no such words")
    expect(section.locator("output")).to_have_text("0 of 2,000 rows")


def test_table_is_sorted_by_amount_and_back(report: Page) -> None:
    """Numbers sort as numbers, up, down, and back to the report's order; blanks come last; by keyboard too."""
    heading = report.locator("#payment_trace th", has_text="Amount")
    before = column(report, "payment_trace", 4)
    heading.click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    amounts = [Decimal(text.replace(",", "")) for text in column(report, "payment_trace", 4)]
    assert amounts == sorted(amounts)
    heading.get_by_role("button").press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    amounts = [Decimal(text.replace(",", "")) for text in column(report, "payment_trace", 4)]
    assert amounts == sorted(amounts, reverse=True)
    heading.click()
    assert column(report, "payment_trace", 4) == before
    days = report.locator("#payment_trace th", has_text="G/L date")
    days.click()
    shown = column(report, "payment_trace", 6)
    assert shown == sorted(shown, key=lambda day: (day == "", day))
    assert shown[-90:] == [""] * 90


def test_key_of_an_exception_leads_to_its_chain_and_back(report: Page) -> None:
    """The chain is a page of the pack; keys that nothing is known of, and those of good rows, are no links."""
    expect(report.locator("#missing_postings table.rows a")).to_have_count(0)
    links = report.locator("#payment_trace table.rows a")
    assert links.count() == 90
    first = links.first.inner_text()
    links.first.click()
    expect(report).to_have_title("Traced documents acme 2026-10")
    heading = report.get_by_role("heading", name=first, exact=True)
    expect(heading).to_be_in_viewport()
    section = report.locator("section", has=heading)
    expect(section).to_contain_text("Voucher 00001-PV-700012")
    expect(section).to_contain_text(f"BILL payment {first}")
    expect(section).to_contain_text("<b>not bold</b>")
    expect(section).to_contain_text("paid by 12.34 USD")
    expect(section.locator("table.lines td").nth(2)).to_have_text("150.8610 = BILL 8610 Rent, department 150")
    expect(section.locator("ul.events")).to_have_text("2026-10-02 18:04:00 UTC (12:04 MDT) PROCESSED <i>by list</i>")
    expect(section).to_contain_text("JD Edwards' copy does not have it")
    shot(report, "report-trace")
    report.get_by_role("link", name="Back to the report").click()
    expect(report.locator("h1")).to_contain_text("Month-end audit")


def test_text_of_the_two_systems_stays_text(report: Page) -> None:
    """A vendor named like a script is shown, not run; no element of the page came from a value."""
    section = report.locator("#payment_trace")
    section.get_by_role("searchbox").fill("alert(1)")
    expect(section.locator("output")).not_to_have_text("2,000 of 2,000 rows")
    names = set(column(report, "payment_trace", 1))
    assert names == {"<script>alert(1)</script>", "</style><img src=x onerror=alert(1)>"}
    assert report.locator("img").count() == 0
    assert report.locator("script").count() == 1


def test_query_can_be_read_and_printing_hides_the_controls(report: Page) -> None:
    """The query stands in its details; on paper there are no controls, the rows are cut and it says so."""
    section = report.locator("#payment_trace")
    section.get_by_text("Query, rule and files").click()
    expect(section.locator("pre").first).to_contain_text("FROM jdebill.bill_payments")
    report.emulate_media(media="print")
    expect(section.get_by_role("searchbox")).to_be_hidden()
    expect(report.locator("nav")).to_be_hidden()
    expect(section.locator("p.printed")).to_contain_text("120 of 3,000 rows are printed")
    paper = SHOTS / "report.pdf"
    paper.parent.mkdir(parents=True, exist_ok=True)
    report.pdf(path=str(paper), prefer_css_page_size=True, print_background=True)
    body = paper.read_bytes()
    assert body.startswith(b"%PDF")
    assert 4 <= body.count(b"/Type /Page\n") + body.count(b"/Type /Page ") <= 12


def test_a_table_that_is_too_wide_for_paper_prints_its_telling_columns(browser: Browser, tmp_path: Path) -> None:
    """Of 24 columns 14 are printed: what is wrong, currency, amounts, dates and keys; the page keeps its size."""
    words = [Column(f"word{n}", f"Word {n}") for n in range(18)]
    columns = (
        Column("key", "Key", Shape.KEY), *words, Column("day", "Day", Shape.DATE), Column("currency", "Currency"),
        Column("one", "One", Shape.AMOUNT), Column("two", "Two", Shape.AMOUNT), Column("exception", "Exception"),
    )  # fmt: skip
    wide = synthetic.procedure("wide", Section.TRACE, Rule.FLAGGED, columns)
    row = {"key": "k", "day": "2026-10-01", "currency": "USD", "one": Decimal("1234567.89"), "two": Decimal(2),
           "exception": "wrong", **{column.name: "a long text of some words" for column in words}}  # fmt: skip
    write_pack(
        synthetic.report({wide: lambda: [row]}), tmp_path / "p", vault=Vault(bytes(32)), journal=Head(0, "0" * 64),
        packed_by="1",
    )  # fmt: skip
    context = browser.new_context(viewport={"width": 1030, "height": 700})
    page = context.new_page()
    page.goto((tmp_path / "p" / "report.html").as_uri())
    page.emulate_media(media="print")
    heads = page.locator("#wide th").all()
    shown = [head.inner_text().strip() for head in heads if head.is_visible()]
    assert len(shown) == 14
    assert {"Key", "Day", "Currency", "One", "Two", "Exception"} <= set(shown)
    expect(page.locator("#wide")).to_contain_text("14 of 24 columns are printed")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    context.close()


def test_page_is_complete_without_its_script(browser: Browser, folder: Path) -> None:
    """A reader that blocks scripts sees every row and no dead control."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": 800, "height": 900})
    page = context.new_page()
    page.goto((folder / "report.html").as_uri())
    assert page.locator("#payment_trace table.rows tbody tr").count() == 2_000
    assert page.locator("input, button").count() == 0
    shot(page, "report-narrow")
    context.close()
