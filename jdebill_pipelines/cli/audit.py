"""`jdebill audit`: the month-end pack, and checking packs and the journal.

Belongs here: arguments, printing, exit codes. Does not belong here: the procedures and the pack (audit/), following one
document (audit_trace.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jdebill_pipelines.cli.audit_trace import trace
from jdebill_pipelines.cli.exits import DONE, NEEDS_PERSON, WrongUse
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table, progress
from jdebill_pipelines.cli.session import connection_named, open_engine
from jdebill_pipelines.config.settings import Settings

if TYPE_CHECKING:
    from jdebill_pipelines.audit.model import Report
    from jdebill_pipelines.audit.pack.pack import Pack
    from jdebill_pipelines.audit.pack.verification import PackVerification
    from jdebill_pipelines.config.connection import Connection
    from jdebill_pipelines.store.journal import Head
    from jdebill_pipelines.store.store import Store

_SHOWN_PROBLEMS = 20


class PublicKey(click.ParamType[bytes]):
    """An Ed25519 public key: 64 hexadecimal digits."""

    name = "HEX"

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Return the 32 bytes."""
        try:
            key = value if isinstance(value, bytes) else bytes.fromhex(value)
        except ValueError:
            key = b""
        if len(key) != 32:
            self.fail("a public key has 64 hexadecimal digits; `jdebill audit key` prints yours", param, ctx)
        return key


@click.group()
def audit() -> None:
    """Month end: report, trace, verify."""


audit.add_command(trace)


@audit.command(
    epilog=examples(
        "jdebill audit report acme --period 2026-10 --out packs/acme-2026-10",
        "jdebill audit report acme --period 2026-P10 --out packs/acme-2026-P10 --recompute",
    )
)
@click.argument("name")
@click.option("--period", required=True, metavar="PERIOD", help="A month 2026-10, or a fiscal period 2026-P10 (F0008).")
@click.option(
    "--out", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder of the pack."
)
@click.option(
    "--recompute/--stored",
    "recompute",
    default=None,
    help="Compute the report now, or take the stored one only; default: the stored one if there is one.",
)
@click.option("--replace", is_flag=True, help="Let an older pack in DIR make way.")
@json_option
def report(name: str, period: str, folder: Path, recompute: bool | None, replace: bool, as_json: bool) -> int:
    """Write the month-end report as a signed pack: page, workbook, CSVs, manifest.

    Computed from the copies of JD Edwards' and BILL's ledgers that the last runs made, as of the period's end: the same
    copies give the same figures. Exit code 1 when a procedure failed.
    """
    from jdebill_pipelines.audit.pack.pack import FolderInUse, RowsMissing, check_folder, write_pack
    from jdebill_pipelines.audit.pack.traces import chains_of
    from jdebill_pipelines.audit.period import UnknownPeriod
    from jdebill_pipelines.audit.runner import LedgersNotRead
    from jdebill_pipelines.audit.trace import Tracer
    from jdebill_pipelines.config.vault import load_vault
    from jdebill_pipelines.store.store import Store

    settings = Settings.from_environment()
    connection = connection_named(settings, name)
    vault = load_vault(settings)
    try:
        check_folder(folder, replace=replace)
        with progress(quiet=as_json) as told, open_engine(settings) as engine:
            store = Store(engine, name)
            found = _report(store, connection, period, recompute=recompute)
            written = write_pack(
                found,
                folder,
                vault=vault,
                journal=store.journal.head(),
                packed_by=version("jdebill-pipelines"),
                replace=replace,
                trace_of=chains_of(Tracer(store, connection)),
                progress=told,
            )
    except (FolderInUse, RowsMissing, UnknownPeriod, LedgersNotRead) as problem:
        raise WrongUse(str(problem)) from None
    if as_json:
        print_json(_report_data(found, written))
    else:
        _print_report(found, written)
    return NEEDS_PERSON if any(result.outcome == "failed" for result in found.results) else DONE


@audit.command(
    epilog=examples(
        "jdebill audit verify packs/acme-2026-10",
        "jdebill audit verify packs/acme-2026-10 --public-key 9c1f...",
        "jdebill audit verify acme --pack packs/acme-2026-09 --pack packs/acme-2026-10",
    )
)
@click.argument("target", metavar="NAME|DIR")
@click.option(
    "--pack",
    "packs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="With NAME: the journal's end in this pack must still be in the journal. May be given again.",
)
@click.option(
    "--public-key",
    "keys",
    multiple=True,
    type=PublicKey(),
    help="A key that packs may be signed with, besides this vault's. May be given again.",
)
@json_option
def verify(target: str, packs: Sequence[Path], keys: Sequence[bytes], as_json: bool) -> int:
    """Check a pack, or the live journal of a connection, and name the first thing that is wrong.

    A folder with a manifest is a pack: its signature, then every file. Anything else is the name of a connection: its
    journal is walked from the first entry to the last. Exit code 0 all is as it was written, 1 something is not.
    """
    settings = Settings.from_environment()
    known = [*keys, *_own_key(settings)]
    if _is_pack(target):
        if packs:
            raise WrongUse("--pack goes with the name of a connection, not with another pack")
        return _verify_pack(Path(target), known, as_json=as_json)
    return _verify_journal(settings, target, packs, known, as_json=as_json)


@audit.command(epilog=examples("jdebill audit key", "jdebill audit key --pem > jdebill-public-key.pem"))
@click.option("--pem", is_flag=True, help="As a PEM file, for openssl.")
@json_option
def key(pem: bool, as_json: bool) -> int:
    """Print the public key that packs are signed with, to be given to auditors.

    It is derived from the master key and changes with it: keep the public keys of rotated master keys.
    """
    from jdebill_pipelines.audit.pack.manifest import as_pem
    from jdebill_pipelines.config.vault import load_vault

    public_key = load_vault(Settings.from_environment()).public_key
    if as_json:
        print_json({"algorithm": "Ed25519", "public_key": public_key.hex(), "pem": as_pem(public_key)})
    else:
        click.echo(as_pem(public_key) if pem else public_key.hex(), nl=not pem)
    return DONE


def _report(store: Store, connection: Connection, period: str, *, recompute: bool | None) -> Report:
    """The stored report of a period, or a new one."""
    from jdebill_pipelines.audit.runner import load_report, run_report

    found = None if recompute else load_report(store, connection, period)
    if found is None and recompute is False:
        raise WrongUse(f"no report of {period} is stored: say --recompute, or materialize audit/month_end")
    return found or run_report(store, connection, period)


def _report_data(found: Report, written: Pack) -> dict[str, Any]:
    return {
        "connection": found.connection,
        "period": found.period.label,
        "pack": str(written.folder),
        "verdict": written.verdict.headline,
        "details": list(written.verdict.lines),
        "journal": {"seq": written.manifest.journal.seq, "hash": written.manifest.journal.hash},
        "public_key": written.manifest.signing.public_key,
        "results": written.manifest.results,
    }


def _print_report(found: Report, written: Pack) -> None:
    print_table(
        ["Section", "Procedure", "Outcome", "Examined", "Rows", "Exceptions"],
        [
            (
                result.procedure.section.value,
                result.procedure.title,
                result.outcome,
                result.population,
                result.rows,
                result.exceptions or None,
            )
            for result in found.results
        ],
        title=f"Month-end audit {found.connection} {found.period.label}",
        right=["Examined", "Rows", "Exceptions"],
    )
    click.echo(f"{written.verdict.headline}.")
    for line in written.verdict.lines:
        click.echo(f"  {line}")
    note(f"{len(written.manifest.files)} files, signed, in {written.folder}: begin with report.html.")


def _is_pack(target: str) -> bool:
    from jdebill_pipelines.audit.pack.manifest import MANIFEST

    path = Path(target)
    if (path / MANIFEST).is_file():
        return True
    if path.name != target or path.is_file():
        raise WrongUse(f"{target} is no pack: it has no {MANIFEST}")
    return False


def _own_key(settings: Settings) -> list[bytes]:
    """The vault's public key; an auditor's machine has no vault."""
    from jdebill_pipelines.config.vault import load_vault

    if settings.master_key is None and not settings.key_file.exists():
        return []
    return [load_vault(settings).public_key]


def _verify_pack(folder: Path, keys: Sequence[bytes], *, as_json: bool) -> int:
    found = _checked(folder, keys)
    if as_json:
        print_json({"kind": "pack", "pack": str(folder), **_pack_data(found)})
    elif found.ok:
        assert found.manifest is not None
        manifest = found.manifest
        click.echo(
            f"Pack {folder}: {manifest.connection} {manifest.period.label}, {len(manifest.files)} files, "
            "every byte as it was signed."
        )
        signer = manifest.signing.public_key
        if found.trusted:
            click.echo(f"Signed with a known key: {signer}")
        else:
            note(f"Signed with {signer}; there is no key here to compare it with: give one with --public-key.")
    else:
        _print_problems(folder, found)
    return DONE if found.ok else NEEDS_PERSON


def _verify_journal(
    settings: Settings, name: str, packs: Sequence[Path], keys: Sequence[bytes], *, as_json: bool
) -> int:
    from jdebill_pipelines.store.journal import Head
    from jdebill_pipelines.store.store import Store

    connection_named(settings, name)
    checked = [(folder, _checked(folder, keys)) for folder in packs]
    anchors = [_anchor(name, folder, found) for folder, found in checked if found.ok]
    bad = [(folder, found) for folder, found in checked if not found.ok]
    with open_engine(settings) as engine:
        store = Store(engine, name)
        # What every stored report says of the journal must be true as well.
        stored = [Head(**kept.header["journal"]) for kept in store.audit.all() if kept.header.get("journal")]
        result = store.journal.verify(anchors=[*stored, *anchors])
    torn = _contradiction([*stored, *anchors])
    if as_json:
        print_json(
            {
                "kind": "journal",
                "connection": name,
                "ok": result.ok and not bad and not torn,
                "entries": result.entries,
                "head": {"seq": result.head.seq, "hash": result.head.hash},
                "first_broken": result.first_broken,
                "reason": result.reason or torn,
                "packs": [{"pack": str(folder), **_pack_data(found)} for folder, found in checked],
            }
        )
    else:
        for folder, found in bad:
            _print_problems(folder, found)
        if torn:
            click.echo(torn)
        if result.ok:
            held = f"; {len(anchors)} pack{' agrees' if len(anchors) == 1 else 's agree'}" if anchors else ""
            end = f"; the end is entry {result.head.seq:,}, {result.head.hash}" if result.entries else ""
            click.echo(f"Journal of {name}: {result.entries:,} entries, every one as it was written{held}{end}.")
        else:
            click.echo(f"Journal of {name}: entry {result.first_broken:,} is broken: {result.reason}.")
            note(f"{result.entries:,} entries before it are as they were written. Restore it from a backup.")
    return DONE if result.ok and not bad and not torn else NEEDS_PERSON


def _checked(folder: Path, keys: Sequence[bytes]) -> PackVerification:
    from jdebill_pipelines.audit.pack.verification import NotAPack, verify_pack

    try:
        return verify_pack(folder, public_keys=keys)
    except NotAPack as problem:
        raise WrongUse(str(problem)) from None


def _anchor(name: str, folder: Path, found: PackVerification) -> Head:
    assert found.manifest is not None
    if found.manifest.connection != name:
        raise WrongUse(f"{folder} is a pack of {found.manifest.connection}, not of {name}")
    return found.manifest.journal


def _contradiction(anchors: Sequence[Head]) -> str:
    """Two reports that name different entries under one number cannot both be of this journal."""
    known: dict[int, str] = {}
    for anchor in anchors:
        if known.setdefault(anchor.seq, anchor.hash) != anchor.hash:
            return f"Packs and stored reports contradict one another about entry {anchor.seq:,}."
    return ""


def _pack_data(found: PackVerification) -> dict[str, Any]:
    manifest = found.manifest
    data: dict[str, Any] = {
        "ok": found.ok,
        "trusted": found.trusted,
        "problems": [{"path": p.path, "what": p.what, "detail": p.detail} for p in found.problems],
    }
    if manifest is not None:
        data |= {
            "connection": manifest.connection,
            "period": manifest.period.label,
            "files": len(manifest.files),
            "public_key": manifest.signing.public_key,
            "journal": {"seq": manifest.journal.seq, "hash": manifest.journal.hash},
        }
    return data


def _print_problems(folder: Path, found: PackVerification) -> None:
    for problem in found.problems[:_SHOWN_PROBLEMS]:
        click.echo(f"Pack {folder}: {problem.path} is {problem.what}: {problem.detail}")
    if len(found.problems) > _SHOWN_PROBLEMS:
        click.echo(f"... and {len(found.problems) - _SHOWN_PROBLEMS} more")
    if found.trusted is False:
        note("If the master key was rotated since, give the old public key with --public-key.")
