"""The manifest: what a pack consists of, signed.

Belongs here: the form of `manifest.json` and its signature. Does not belong here: comparing a pack with it
(verification.py).

`manifest.json` has the size and SHA-256 of every file of the pack but itself and `manifest.sig`, and everything that
somebody needs to make the report again: connection, period, parameters, code version, when each extract was made, the
end of the journal. `manifest.sig` is the Ed25519 signature, 64 bytes, of `manifest.json` as it lies there.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jdebill_pipelines.audit.model import Report
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.journal import Head

FORMAT = "jdebill audit pack 1"
MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "public-key.pem"
_BLOCK = 1 << 20

_encoder = msgspec.json.Encoder(decimal_format="number")


class PackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a pack: its path below the pack's folder (always with ``/``), its size in bytes, its SHA-256."""

    path: str
    size: int
    sha256: str


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The period of the report; the cut-off is the end of ``last`` by G/L date."""

    label: str
    first: date
    last: date


class Signing(msgspec.Struct, frozen=True, kw_only=True):
    """How the manifest is signed: the raw public key in hexadecimal digits."""

    public_key: str
    algorithm: Literal["Ed25519"] = "Ed25519"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What `manifest.json` says.

    Attributes:
        format: names this form.
        connection: whose books.
        period: of the report.
        parameters: of every query.
        report: its number, when and by which run it was computed, by which code.
        header: what the cover says besides: extracts with their times and row counts.
        results: outcome and figures of each procedure.
        journal: the end of the journal when the pack was made; it must be in the journal for ever.
        packed_at: when, UTC.
        packed_by: which code made the files.
        signing: how the manifest is signed.
        files: every file but the manifest and its signature, by path.
    """

    format: str
    connection: str
    period: Period
    parameters: dict[str, Any]
    report: dict[str, Any]
    header: dict[str, Any]
    results: list[dict[str, Any]]
    journal: Head
    packed_at: datetime
    packed_by: str
    signing: Signing
    files: list[PackedFile]


def write_manifest(folder: Path, report: Report, vault: Vault, journal: Head, packed_by: str) -> Manifest:
    """Write the public key, the manifest of every file in a folder, and its signature.

    Args:
        folder: of the pack, complete but for these three.
        report: what was packed.
        vault: signs.
        journal: the end of the live journal.
        packed_by: code version.
    """
    (folder / PUBLIC_KEY).write_text(as_pem(vault.public_key), "ascii")
    period = report.period
    manifest = Manifest(
        format=FORMAT,
        connection=report.connection,
        period=Period(label=period.label, first=period.first, last=period.last),
        parameters=period.parameters(report.connection),
        report={
            "id": report.id,
            "run_id": report.run_id,
            "code_version": report.code_version,
            "computed_at": report.created_at,
        },
        header=report.header,
        results=[
            {
                "procedure": result.procedure.key,
                "outcome": result.outcome,
                "population": result.population,
                "rows": result.rows,
                "exceptions": result.exceptions,
                "figures": result.figures,
            }
            for result in report.results
        ],
        journal=journal,
        packed_at=datetime.now(UTC),
        packed_by=packed_by,
        signing=Signing(public_key=vault.public_key.hex()),
        files=[measure(folder, path) for path in paths_in(folder)],
    )
    body = msgspec.json.format(_encoder.encode(manifest), indent=2) + b"\n"
    (folder / MANIFEST).write_bytes(body)
    (folder / SIGNATURE).write_bytes(vault.sign(body))
    return manifest


def as_pem(public_key: bytes) -> str:
    """Return a raw Ed25519 public key as a PEM file, which openssl reads."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def paths_in(folder: Path) -> list[str]:
    """Return the paths of everything below a folder that is no folder itself, with ``/``, in order."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def measure(folder: Path, path: str) -> PackedFile:
    """Read a file and return its size and SHA-256.

    Raises:
        OSError: it cannot be read.
    """
    found, size = hashlib.sha256(), 0
    with (folder / path).open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
            size += len(block)
    return PackedFile(path=path, size=size, sha256=found.hexdigest())
