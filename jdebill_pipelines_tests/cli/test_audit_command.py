"""`jdebill audit`: packs and the live journal checked, the key printed, exit codes."""

from __future__ import annotations

import base64
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.domain.tables import AUDITED
from jdebill_pipelines.store.journal import Entry, Head
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.audit_pack import synthetic
from jdebill_pipelines_tests.support.commands import Command

KEY = bytes(range(32))
VAULT = Vault(KEY)
NAMES = "connection event kind natural_key remote_id run_id asset_key period actor request_digest response_digest"
TEXTS = [*NAMES.split(), "prev_hash", "hash"]


@pytest.fixture
def store(database: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The journal of acme with eight entries, and the master key in the environment."""
    monkeypatch.setenv("JDEBILL_MASTER_KEY", base64.b64encode(KEY).decode())
    store = Store(engine, "acme")
    entries = [
        Entry(event="confirmed", kind="bill", natural_key=f"00001-PV-{n}", remote_id=f"00n{n}", run_id="r1",
              asset_key="acme/bill/bills", period="2026-10", actor="schedule", request_digest="a" * 64,
              response_digest="b" * 64, body={"amount": n, "words": f"Zo\u00eb {n}"})
        for n in range(1, 9)
    ]  # fmt: skip
    store.journal.append(entries)
    return store


def pack(store: Store, folder: Path) -> Path:
    """Write a pack with the journal's end as it is now."""
    write_pack(synthetic.month(20), folder, vault=VAULT, journal=store.journal.head(), packed_by="1")
    return folder


def tamper(store: Store, statement: str, **values: object) -> None:
    """Change the journal past its trigger, as somebody with all rights would."""
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE jdebill.journal DISABLE TRIGGER USER"))
        connection.execute(sa.text(statement), values)
        connection.execute(sa.text("ALTER TABLE jdebill.journal ENABLE TRIGGER USER"))


def test_a_whole_journal_and_a_whole_pack_pass(jdebill: Command, store: Store, tmp_path: Path) -> None:
    """Exit code 0, in words and as JSON; the pack's end of the journal is found in the live one."""
    folder = pack(store, tmp_path / "pack")
    said = jdebill("audit", "verify", "acme", "--pack", str(folder))
    assert said.code == 0
    assert "8 entries, every one as it was written; 1 pack agrees" in said.out
    found = jdebill("audit", "verify", "acme", "--json").json
    assert (found["ok"], found["entries"], found["head"]["seq"]) == (True, 8, 8)
    said = jdebill("audit", "verify", str(folder))
    assert said.code == 0
    assert "acme 2026-10" in said.out
    assert f"Signed with a known key: {VAULT.public_key.hex()}" in said.out


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipping_any_byte_of_any_journal_row_names_the_row(
    jdebill: Command, store: Store, data: st.DataObject
) -> None:
    """A random bit of a random byte of a random column, as stored: exit code 1, and exactly that entry is named."""
    seq = data.draw(st.integers(1, 8))
    column = data.draw(st.sampled_from([*TEXTS, "at", "body", "seq"]))
    with store.engine.connect() as connection:
        kept = connection.execute(
            sa.text(f"SELECT {column}::text FROM jdebill.journal WHERE seq = :seq"), {"seq": seq}
        ).scalar_one()
    if column in TEXTS:
        body = kept.encode()
        at = data.draw(st.integers(0, len(body) - 1))
        # A text column holds UTF-8 without NUL: within ASCII every other byte is a possible one.
        changed = data.draw(st.integers(1, 127).filter(lambda b: b != body[at]))
        value = (body[:at] + bytes([changed]) + body[at + 1 :]).decode()
    elif column == "body":
        value = kept.replace(*data.draw(st.sampled_from([('"amount": ', '"amount": 1'), ("Zo\u00eb", "Zoe"),
                                                         ('"words"', '"Words"')])))  # fmt: skip
    elif column == "at":
        value = data.draw(st.sampled_from(["epoch", "infinity", "2026-10-01T00:00:00Z"]))
    else:
        value = str(data.draw(st.integers(9, 10**9)))
    cast = {"body": "jsonb", "at": "timestamptz", "seq": "bigint"}.get(column, "text")
    tamper(
        store, f"UPDATE jdebill.journal SET {column} = CAST(:value AS {cast}) WHERE seq = :seq", value=value, seq=seq
    )
    try:
        said = jdebill("audit", "verify", "acme")
        assert said.code == 1
        assert f"entry {seq} is broken" in said.out, (column, value, said.out)
    finally:
        where = {"value": kept, "seq": int(value) if column == "seq" else seq}
        tamper(store, f"UPDATE jdebill.journal SET {column} = CAST(:value AS {cast}) WHERE seq = :seq", **where)
    assert jdebill("audit", "verify", "acme").code == 0


def test_a_journal_that_was_cut_and_sealed_again_is_caught_by_a_pack(
    jdebill: Command, store: Store, tmp_path: Path
) -> None:
    """Who can rewrite the whole chain cannot rewrite a pack that was handed out."""
    folder = pack(store, tmp_path / "pack")
    tamper(store, "DELETE FROM jdebill.journal WHERE seq > 6")
    tamper(
        store,
        "UPDATE jdebill.journal_heads SET seq = 6, hash = (SELECT hash FROM jdebill.journal WHERE seq = 6)",
    )
    assert jdebill("audit", "verify", "acme").code == 0
    said = jdebill("audit", "verify", "acme", "--pack", str(folder), "--json")
    assert said.code == 1
    assert said.json["first_broken"] == 7
    assert "missing" in said.json["reason"]


def test_a_changed_pack_is_named_and_is_no_anchor(jdebill: Command, store: Store, tmp_path: Path) -> None:
    """Both ways of checking say which file, and exit with 1."""
    folder = pack(store, tmp_path / "pack")
    (folder / "csv" / "runs.csv").write_text("run_id\n")
    for arguments in ((str(folder),), ("acme", "--pack", str(folder))):
        said = jdebill("audit", "verify", *arguments)
        assert said.code == 1
        assert "csv/runs.csv is changed" in said.out
    found = jdebill("audit", "verify", str(folder), "--json")
    assert found.code == 1
    assert found.json["problems"][0]["path"] == "csv/runs.csv"


def test_an_auditor_without_a_vault_compares_with_the_key_he_was_given(
    jdebill: Command, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No database, no key, no connection file is needed; another key's pack is refused."""
    folder = tmp_path_factory.mktemp("auditor") / "pack"
    write_pack(synthetic.month(5), folder, vault=VAULT, journal=Head(3, "cd" * 32), packed_by="1")
    shutil.rmtree(home / "connections")
    said = jdebill("audit", "verify", str(folder))
    assert said.code == 0
    assert "give one with --public-key" in said.err
    assert jdebill("audit", "verify", str(folder), "--public-key", VAULT.public_key.hex()).code == 0
    said = jdebill("audit", "verify", str(folder), "--public-key", Vault(bytes(32)).public_key.hex())
    assert said.code == 1
    assert "not signed" in said.out


def test_a_report_is_computed_once_and_packed_as_often_as_asked(jdebill: Command, store: Store, tmp_path: Path) -> None:
    """Without a stored report it is computed; then the stored one is packed, the CSVs byte for byte the same."""
    one, other = tmp_path / "one", tmp_path / "other"
    said = jdebill("audit", "report", "acme", "--period", "2026-10", "--out", str(one), "--stored")
    assert said.code == 2
    assert "no report of 2026-10 is stored" in said.err
    said = jdebill("audit", "report", "acme", "--period", "2026-10", "--out", str(one))
    assert said.code == 2
    assert "never read for the audit" in said.err
    for table in AUDITED.values():
        store.staging.merge(table, [], run_id="r1", extracted_at=datetime.now(UTC))
    said = jdebill("audit", "report", "acme", "--period", "2026-10", "--out", str(one), "--json")
    assert said.code in (0, 1), said.err
    failed = [result["procedure"] for result in said.json["results"] if result["outcome"] == "failed"]
    assert said.code == bool(failed)
    assert said.json["journal"]["seq"] == 8
    assert said.json["public_key"] == VAULT.public_key.hex()
    (kept,) = store.audit.all()
    said = jdebill("audit", "report", "acme", "--period", "2026-10", "--out", str(other), "--stored")
    assert "begin with report.html" in said.err
    assert "Subledger to control account" in said.out
    assert store.audit.all() == [kept]
    names = sorted(path.name for path in (one / "csv").iterdir())
    assert "tie_out.csv" in names
    assert [(one / "csv" / n).read_bytes() for n in names] == [(other / "csv" / n).read_bytes() for n in names]
    said = jdebill("audit", "report", "acme", "--period", "2026-10", "--out", str(one), "--recompute")
    assert said.code == 2
    assert "--replace" in said.err
    said = jdebill("audit", "report", "acme", "--period", "2026-10", "--out", str(one), "--recompute", "--replace")
    assert len(store.audit.all()) == 2
    assert jdebill("audit", "verify", str(one)).code == 0
    assert jdebill("audit", "verify", "acme", "--pack", str(one), "--pack", str(other)).code == 0


def test_a_journal_that_was_cut_and_sealed_again_is_caught_by_a_stored_report(jdebill: Command, store: Store) -> None:
    """The report keeps the end of the journal as it was: also without a pack."""
    with store.transaction() as tx:
        head = store.journal.head()
        store.audit.create(
            tx, "2026-10", date(2026, 10, 1), date(2026, 10, 31), run_id="r", code_version="1",
            header={"journal": {"seq": head.seq, "hash": head.hash}},
        )  # fmt: skip
    tamper(store, "DELETE FROM jdebill.journal WHERE seq > 6")
    tamper(
        store,
        "UPDATE jdebill.journal_heads SET seq = 6, hash = (SELECT hash FROM jdebill.journal WHERE seq = 6)",
    )
    said = jdebill("audit", "verify", "acme")
    assert said.code == 1
    assert "entry 7 is broken" in said.out


def test_wrong_use_is_told(jdebill: Command, store: Store, tmp_path: Path) -> None:
    """No such connection, no such pack, a pack of another connection, a key that is none: exit code 2."""
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other"
    write_pack(
        synthetic.report({synthetic.RUNS: list}, connection="other"), other, vault=VAULT,
        journal=store.journal.head(), packed_by="1",
    )  # fmt: skip
    for arguments, words in (
        (["acne"], "did you mean 'acme'"),
        ([str(tmp_path / "empty")], "no manifest.json"),
        (["acme", "--pack", str(tmp_path / "empty")], "no manifest.json"),
        (["acme", "--pack", str(other)], "a pack of other, not of acme"),
        ([str(other), "--pack", str(other)], "--pack goes with"),
        (["acme", "--public-key", "abc"], "64 hexadecimal digits"),
    ):
        said = jdebill("audit", "verify", *arguments)
        assert said.code == 2, arguments
        assert words in said.err, said.err


@pytest.mark.parametrize("period", ["2026-13", "October", "2026-P01"])
def test_a_period_that_is_none_is_told(jdebill: Command, store: Store, tmp_path: Path, period: str) -> None:
    """No such month, no such word, no fiscal calendar read yet: one line, nothing written."""
    said = jdebill("audit", "report", "acme", "--period", period, "--out", str(tmp_path / "out"))
    assert said.code == 2
    assert said.err.startswith("Error: ")
    assert not (tmp_path / "out").exists()


def test_the_public_key_is_printed_for_auditors(jdebill: Command, store: Store) -> None:
    """In hexadecimal digits, as PEM, as JSON: the same key; the master key is in none of them."""
    said = jdebill("audit", "key")
    assert (said.code, said.out) == (0, VAULT.public_key.hex() + "\n")
    pem = jdebill("audit", "key", "--pem").out
    assert pem.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert jdebill("audit", "key", "--json").json["pem"] == pem
    assert base64.b64encode(KEY).decode() not in pem
