"""Connection files: what is accepted, and one clear line for every mistake."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from jdebill_pipelines.config.checks import TEMPLATE_WORDS
from jdebill_pipelines.config.connection import ConnectionFileError, load_connection, load_connections
from jdebill_pipelines.domain.gl_mapping import WORDS, GlRules

ROOT = Path(__file__).resolve().parents[2]

GOOD = """
name: acme
start_date: 2026-01-01
timezone: America/Denver
jde:
  ais_url: https://ais.acme.example:9300/jderest/
  environment: JPD920
  role: APINT
  companies: ["00001"]
  approved_next_status: {OP: ["280"]}
bill:
  api_url: https://gateway.stage.bill.com/connect
  organization_id: "00801ABCDEFGHIJKLMNO"
sync: {bank_account: "00000123"}
"""


def write(folder: Path, text: str, name: str = "acme.yaml") -> Path:
    """Write a connection file."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def problems(path: Path) -> list[str]:
    """The mistakes of a file, without its name."""
    with pytest.raises(ConnectionFileError) as caught:
        load_connection(path)
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in caught.value.problems)
    return [line.removeprefix(f"{path}: ") for line in caught.value.problems]


def test_a_short_file_is_filled_with_defaults(tmp_path: Path) -> None:
    """Only what has no sensible default must be given; derived values are there after loading."""
    connection = load_connection(write(tmp_path, GOOD))
    assert connection.name == "acme"
    assert connection.enabled is True
    assert connection.start_date == date(2026, 1, 1)
    assert connection.jde.ais_url == "https://ais.acme.example:9300/jderest"
    assert connection.jde.device_name == "jdebill-acme"
    assert connection.bill.events_url == "https://gateway.stage.bill.com/connect-events"
    assert connection.sync.documents == ["vouchers", "purchase_orders"]
    assert connection.sync.max_invalid_ratio == Decimal("0.25")
    assert connection.sync.writeback.voucher == "payment"


def test_ratio_keeps_its_digits(tmp_path: Path) -> None:
    """A fraction is a Decimal with exactly the digits of the file, never a float."""
    text = GOOD.replace("sync: {", "sync: {max_invalid_ratio: 0.1000000000000000055, ")
    assert load_connection(write(tmp_path, text)).sync.max_invalid_ratio == Decimal("0.1000000000000000055")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Ten mistakes in one file give ten lines, each with its key and what is allowed."""
    text = """
nmae: acme
name: Acme Corp
start_date: January
timezone: Denver
jde:
  ais_url: ais.acme.example
  environment: JPD920
  role: APINT
  companies: [00001, "1"]
bill:
  api_url: http://gateway.stage.bill.com/connect
  organization_id: "123"
  max_in_flight: 4
sync:
  schedule: "61 * * * *"
  gate: quarantined
  documents: [invoices]
"""
    found = problems(write(tmp_path, text))
    keys = [line.split(":")[0] for line in found]
    assert keys == [
        "nmae",
        "name",
        "start_date",
        "timezone",
        "jde.ais_url",
        "jde.companies[0]",
        "jde.companies[1]",
        "bill.api_url",
        "bill.organization_id",
        "bill.max_in_flight",
        "sync.schedule",
        "sync.documents[0]",
        "sync.gate",
    ]
    by_key = dict(zip(keys, found, strict=True))
    assert "did you mean 'name'?" in by_key["nmae"]
    assert "put it in quotes" in by_key["jde.companies[0]"]
    assert "five digits" in by_key["jde.companies[1]"]
    assert "https://" in by_key["bill.api_url"]
    assert "1 to 3" in by_key["bill.max_in_flight"]
    assert "0-59" in by_key["sync.schedule"]
    assert "did you mean 'quarantine'?" in by_key["sync.gate"]
    assert "vouchers, purchase_orders" in by_key["sync.documents[0]"]
    assert "IANA" in by_key["timezone"]


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("name: acme", "", "name", "is missing"),
        ("  role: APINT\n", "", "jde.role", "is missing"),
        ("2026-01-01", "2026-13-01", "", "not YAML"),
        ("timezone: America/Denver", "timezone: [", "", "line 6"),
        ("name: acme", "name: acme\nname: other", "", "given twice"),
        ("https://ais.acme.example:9300/jderest/", "https://u:p4ss@ais.acme.example", "jde.ais_url", "vault"),
        ("https://ais.acme.example:9300/jderest/", "https://ais:99999/", "jde.ais_url", "is no URL"),
        ("https://ais.acme.example:9300/jderest/", "https://ais/j?x=1", "jde.ais_url", "query"),
        ('["00001"]', "[]", "jde.companies", "at least one"),
        ('["00001"]', '["00001", "00001"]', "jde.companies", "twice"),
        ('["00001"]', '"00001"', "jde.companies", "a list is needed"),
        ('{OP: ["280"]}', "{OP: [280]}", "jde.approved_next_status.OP[0]", "put it in quotes"),
        ('{OP: ["280"]}', '{orders: ["280"]}', "jde.approved_next_status.orders", "document type"),
        ('  approved_next_status: {OP: ["280"]}\n', "", "jde.approved_next_status", "no order counts as approved"),
        ('sync: {bank_account: "00000123"}', "", "sync.bank_account", "writeback"),
        ('bank_account: "00000123"', "bank_account: 123", "sync.bank_account", "put it in quotes"),
        ("sync: {", "sync: {max_invalid_ratio: 25, ", "sync.max_invalid_ratio", "0 to 1"),
        ("sync: {", "sync: {default_net_days: true, ", "sync.default_net_days", "whole number"),
        ("sync: {", "sync: {post_when: PAID, ", "sync.post_when", "PROCESSED"),
        ("sync: {", 'sync: {gl: {department: "{unit}"}, ', "sync.gl.department", "{business_unit}"),
        ("sync: {", 'sync: {gl: {department: "{"}, ', "sync.gl.department", "no template"),
        ("sync: {", "sync: {gl: {overrides: nowhere.csv}, ", "sync.gl.overrides", "no such file"),
        ("sync: {", "sync: {create_missing: yes, ", "sync.create_missing", "accounts, departments"),
        ("sync: {", "sync: {writeback: {other: payment}, ", "sync.writeback.other", "journal, none"),
        ("sync: {", "sync: {nightly: 0 2 * *, ", "sync.nightly", "has 4 fields"),
        ("bill:\n", "bill:\n  password: x\n", "bill.password", "is not a key here"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(
    tmp_path: Path, old: str, new: str, key: str, words: str
) -> None:
    """One mistake gives exactly one line; it names the key and what is allowed."""
    assert old in GOOD
    (line,) = problems(write(tmp_path, GOOD.replace(old, new, 1)))
    assert line.startswith(f"{key}: ") if key else True
    assert words in line
    assert "p4ss" not in line


def test_no_bank_account_is_needed_when_nothing_is_written_back(tmp_path: Path) -> None:
    """A connection that only sends documents to BILL has no bank account to give."""
    text = GOOD.replace('bank_account: "00000123"', "writeback: {voucher: none, purchase_order: none, other: none}")
    assert load_connection(write(tmp_path, text)).sync.bank_account is None


def test_override_file_is_relative_to_the_connection_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the process runs, the path means the same file."""
    (tmp_path / "gl").mkdir()
    (tmp_path / "gl" / "acme.csv").write_text("business_unit\n", "utf-8")
    monkeypatch.chdir("/")
    path = write(tmp_path, GOOD.replace("sync: {", "sync: {gl: {overrides: gl/acme.csv}, "))
    assert load_connection(path).sync.gl.overrides == (tmp_path / "gl" / "acme.csv").resolve()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"- a\n- b\n", b"!!python/object/apply:os.system [ls]"])
def test_what_is_no_mapping_is_refused_in_one_line_each(tmp_path: Path, content: bytes) -> None:
    """Binary files, empty ones, lists and Python tags are refused, never run."""
    path = tmp_path / "acme.yaml"
    path.write_bytes(content)
    assert problems(path)


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    """Mistakes of all files come together; a name that two files share is one of them."""
    write(tmp_path, GOOD)
    write(tmp_path, GOOD, "copy.yaml")
    write(tmp_path, GOOD.replace("acme\n", "beta\n", 1).replace("APINT", "''"), "beta.yml")
    write(tmp_path, "not a connection", "notes.txt")
    with pytest.raises(ConnectionFileError) as caught:
        load_connections(tmp_path)
    assert len(caught.value.problems) == 2
    assert "jde.role" in caught.value.problems[0]
    assert "'acme' is also the name in acme.yaml" in caught.value.problems[1]
    with pytest.raises(ConnectionFileError, match="JDEBILL_CONNECTIONS_DIR"):
        load_connections(tmp_path / "missing")


def test_example_is_right_switched_off_and_shows_every_default(tmp_path: Path) -> None:
    """The shipped example loads, is not enabled, and each commented default equals the code's."""
    path = ROOT / "connections" / "example.yaml"
    example = load_connection(path)
    assert load_connections(path.parent, only_enabled=True) == {}
    shown = write(
        tmp_path,
        "\n".join(
            line.replace("# ", "", 1) if line.lstrip().startswith("# ") and line.startswith("  ") else line
            for line in path.read_text("utf-8").splitlines()
            if "overrides:" not in line and "webhook_url:" not in line and "description unit_description" not in line
        ).replace('account_number: "{object}"      #', 'account_number: "{object}" #'),
        "shown.yaml",
    )
    assert yaml.safe_load(shown.read_text("utf-8"))["jde"]["orchestrations"]["void"] == "JDEBILL_AP_VOID"
    assert load_connection(shown) == example


def test_template_words_and_defaults_are_those_of_the_mapping() -> None:
    """Configuration may not import the mapping, so a test compares what both know."""
    from jdebill_pipelines.config.connection import GlConfig

    assert TEMPLATE_WORDS == WORDS
    for name in ("account_number", "department", "account_name", "department_name"):
        assert getattr(GlConfig(), name) == getattr(GlRules(), name)
