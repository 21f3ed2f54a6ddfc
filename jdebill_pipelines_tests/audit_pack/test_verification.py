"""A pack that was changed in any way is found out, and what was changed is named."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jdebill_pipelines.audit.pack.manifest import MANIFEST, SIGNATURE, write_manifest
from jdebill_pipelines.audit.pack.pack import FolderInUse, RowsMissing, write_pack
from jdebill_pipelines.audit.pack.verification import NotAPack, verify_pack
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines_tests.audit_pack import synthetic
from jdebill_pipelines_tests.audit_pack.conftest import HEAD, VAULT


@pytest.fixture
def pack(month_pack: Path, tmp_path: Path) -> Path:
    """A pack of the test's own."""
    return Path(shutil.copytree(month_pack, tmp_path / "pack"))


def first(folder: Path, *keys: bytes) -> tuple[str, str]:
    """The first thing that is wrong."""
    found = verify_pack(folder, public_keys=keys)
    assert not found.ok
    return found.problems[0].path, found.problems[0].what


def test_a_pack_as_written_is_all_right(month_pack: Path) -> None:
    """With the right key asked for, and without one; the manifest names the journal's end and what the cover says."""
    found = verify_pack(month_pack, public_keys=[bytes(32), VAULT.public_key])
    assert (found.ok, found.problems, found.trusted) == (True, [], True)
    assert verify_pack(month_pack).trusted is None
    assert found.manifest is not None
    assert found.manifest.journal == HEAD
    assert found.manifest.connection == "acme"
    assert found.manifest.parameters["companies"] == ["00001"]
    assert found.manifest.header["extracts"]["F0411"]["extracted_at"] == "2026-11-02T07:10:00Z"
    assert {file.path for file in found.manifest.files} >= {"report.html", "report.xlsx", "csv/tie_out.csv"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipping_any_bits_of_any_byte_is_detected_and_named(month_pack: Path, pack: Path, data: st.DataObject) -> None:
    """A random byte of a random file: the file is named, for the manifest and its signature the manifest."""
    paths = sorted(p.relative_to(month_pack).as_posix() for p in month_pack.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(paths))
    body = (month_pack / path).read_bytes()
    at = data.draw(st.integers(0, len(body) - 1))
    flip = data.draw(st.integers(1, 255))
    try:
        (pack / path).write_bytes(body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :])
        named, _ = first(pack)
        assert named == (MANIFEST if path == SIGNATURE else path)
    finally:
        (pack / path).write_bytes(body)


def test_bytes_of_every_file_are_covered(month_pack: Path, pack: Path) -> None:
    """Every file of the pack, first, last and spread over it: one bit of one byte, and the file is named.

    Only of a pair that contradicts itself nobody can say which half was changed: manifest and signature.
    """
    files = [p for p in month_pack.rglob("*") if p.is_file()]
    kinds = {p.suffix for p in files}
    assert kinds == {".html", ".xlsx", ".csv", ".sql", ".json", ".sig", ".pem", ".txt"}
    for file in files:
        path, body = file.relative_to(month_pack).as_posix(), file.read_bytes()
        assert body, path
        for at in {*range(0, len(body), max(1, len(body) // 12)), len(body) - 1}:
            (pack / path).write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
            assert first(pack)[0] == (MANIFEST if path == SIGNATURE else path), (path, at)
        (pack / path).write_bytes(body)
    assert verify_pack(pack).ok


def test_missing_extra_cut_and_swapped_files_are_named(pack: Path) -> None:
    """One after the other, each repaired before the next."""
    table = pack / "csv" / "tie_out.csv"
    body = table.read_bytes()
    table.unlink()
    assert first(pack) == ("csv/tie_out.csv", "missing")
    table.write_bytes(body[:-1])
    assert first(pack) == ("csv/tie_out.csv", "changed")
    table.unlink()
    elsewhere = pack.parent / "elsewhere.csv"
    elsewhere.write_bytes(body)
    table.symlink_to(elsewhere)
    assert first(pack) == ("csv/tie_out.csv", "changed")
    table.unlink()
    table.write_bytes(body)
    (pack / "csv" / "more.csv").write_text("x")
    assert first(pack) == ("csv/more.csv", "extra")
    (pack / "csv" / "more.csv").unlink()
    (pack / "alias").symlink_to("csv")
    assert first(pack) == ("alias", "extra")
    (pack / "alias").unlink()
    assert verify_pack(pack).ok
    (pack / SIGNATURE).unlink()
    assert first(pack) == (SIGNATURE, "missing")


def test_a_pack_signed_anew_by_somebody_else_is_not_ours(pack: Path) -> None:
    """Who changes the files and signs again with a key of his own is found out by everybody who knows our key."""
    (pack / "csv" / "tie_out.csv").write_text("company\n")
    for name in (MANIFEST, SIGNATURE, "public-key.pem"):
        (pack / name).unlink()
    write_manifest(pack, synthetic.month(), Vault(bytes(32)), HEAD, "1.2.3")
    assert verify_pack(pack).ok, "without a key to compare it with, nothing can be said"
    assert first(pack, VAULT.public_key) == (SIGNATURE, "not signed")
    assert verify_pack(pack, public_keys=[VAULT.public_key]).trusted is False


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"format": "another"}'])
def test_a_manifest_that_is_none_is_named(pack: Path, body: bytes) -> None:
    """Whatever lies there, the manifest is named and nothing is raised."""
    (pack / MANIFEST).write_bytes(body)
    assert first(pack)[0] == MANIFEST


def test_a_manifest_of_another_format_is_not_guessed_at(pack: Path) -> None:
    """A later version may mean something else by it."""
    body = msgspec.json.decode((pack / MANIFEST).read_bytes())
    (pack / MANIFEST).write_bytes(msgspec.json.encode({**body, "format": "jdebill audit pack 9"}))
    assert "this version knows" in verify_pack(pack).problems[0].detail


def test_a_folder_without_a_manifest_is_no_pack(tmp_path: Path) -> None:
    """And neither is a folder that does not exist."""
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotAPack):
            verify_pack(folder)


def test_openssl_verifies_the_signature_without_us(month_pack: Path) -> None:
    """An auditor needs neither this program nor our key."""
    command = "openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig"
    done = subprocess.run(command.split(), cwd=month_pack, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully")


def test_only_an_older_pack_makes_way_and_only_when_told(tmp_path: Path) -> None:
    """A folder with something else in it is never touched; a failed pack leaves the older one and no rest behind."""
    folder = tmp_path / "out"

    def write(report: object, *, replace: bool = False) -> None:
        write_pack(report, folder, vault=VAULT, journal=HEAD, packed_by="1", replace=replace)  # type: ignore[arg-type]

    folder.mkdir()
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(FolderInUse, match="no pack"):
        write(synthetic.month(5), replace=True)
    (folder / "letter.txt").unlink()
    write(synthetic.month(5))
    with pytest.raises(FolderInUse, match="--replace"):
        write(synthetic.month(6))
    before = (folder / MANIFEST).read_bytes()
    with pytest.raises(RowsMissing, match="--recompute"):
        write(_lying(), replace=True)
    assert (folder / MANIFEST).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    write(synthetic.month(6), replace=True)
    assert verify_pack(folder).ok
    assert (folder / MANIFEST).read_bytes() != before


def _lying() -> object:
    """A report whose rows are fewer than its results say."""
    good = synthetic.month(6)
    return synthetic.report({synthetic.RUNS: list}, results=good.results, read_rows=lambda _key: iter(()))
