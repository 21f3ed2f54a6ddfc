"""Checking a pack: is it what was signed, and by whom.

Belongs here: comparing a folder with its manifest, and the manifest with its signature. Does not belong here: the
journal's own chain (store/journal.py).
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec

from jdebill_pipelines.audit.pack.manifest import FORMAT, MANIFEST, SIGNATURE, Manifest, PackedFile, measure, paths_in
from jdebill_pipelines.config.vault import is_signed

_MOST_MANIFEST = 64 << 20  # bytes; nobody's manifest is larger, and it is read whole


class NotAPack(Exception):
    """The folder has no manifest."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a file of a pack.

    Attributes:
        path: below the pack's folder.
        what: ``changed``, ``missing``, ``extra``, ``unreadable`` or ``not signed``.
        detail: for people.
    """

    path: str
    what: str
    detail: str


class PackVerification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of checking a pack.

    Attributes:
        ok: it is byte for byte what was signed, by a key that was asked for if one was.
        problems: what is wrong, manifest and signature first, then by path.
        manifest: None when it cannot be read.
        trusted: the key is one of those asked for; None when none was: then whoever made the pack may have signed it.
    """

    ok: bool
    problems: list[Problem]
    manifest: Manifest | None = None
    trusted: bool | None = None


def verify_pack(folder: Path, *, public_keys: Sequence[bytes] = ()) -> PackVerification:
    """Check a pack: the signature over the manifest, then every file against it.

    Args:
        folder: of the pack.
        public_keys: raw Ed25519 keys, one of which must have signed; none asks only that the pack's own key has.

    Raises:
        NotAPack: there is no such folder, or no manifest in it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise NotAPack(f"{folder} is no pack: it has no {MANIFEST}")
    if path.stat().st_size > _MOST_MANIFEST:
        return PackVerification(ok=False, problems=[Problem(MANIFEST, "changed", "it is too large for a manifest")])
    body = path.read_bytes()
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return PackVerification(ok=False, problems=[Problem(MANIFEST, "changed", f"it is no manifest: {error}")])
    if manifest.format != FORMAT:
        known = f"this version knows {FORMAT!r}"
        problem = Problem(MANIFEST, "changed", f"its format is {manifest.format!r}, {known}")
        return PackVerification(ok=False, problems=[problem])
    problems, trusted = _check_signature(folder, body, manifest, public_keys)
    problems += _check_files(folder, manifest)
    return PackVerification(ok=not problems, problems=problems, manifest=manifest, trusted=trusted)


def _check_signature(
    folder: Path, body: bytes, manifest: Manifest, public_keys: Sequence[bytes]
) -> tuple[list[Problem], bool | None]:
    try:
        key = bytes.fromhex(manifest.signing.public_key)
    except ValueError as error:
        return [Problem(MANIFEST, "changed", f"the key that it names is none: {error}")], None
    try:
        signature = (folder / SIGNATURE).read_bytes()
    except FileNotFoundError:
        return [Problem(SIGNATURE, "missing", "the manifest has no signature")], None
    except OSError as error:
        return [Problem(SIGNATURE, "unreadable", error.strerror or type(error).__name__)], None
    if not is_signed(key, body, signature):
        detail = f"{MANIFEST} or {SIGNATURE} is not what was signed with the key {key.hex()}"
        return [Problem(MANIFEST, "not signed", detail)], None
    if not public_keys:
        return [], None
    if key in public_keys:
        return [], True
    asked = ", ".join(known.hex() for known in public_keys)
    return [Problem(SIGNATURE, "not signed", f"signed with the key {key.hex()}, not with {asked}")], False


def _check_files(folder: Path, manifest: Manifest) -> list[Problem]:
    expected = {file.path: file for file in manifest.files}
    found = set(paths_in(folder)) - {MANIFEST, SIGNATURE}
    problems = []
    for path in sorted(expected.keys() | found):
        if path not in found:
            problems.append(Problem(path, "missing", "the manifest has it, the folder has not"))
        elif path not in expected:
            problems.append(Problem(path, "extra", "the folder has it, the manifest has not"))
        elif problem := _compared(folder, expected[path]):
            problems.append(problem)
    return problems


def _compared(folder: Path, file: PackedFile) -> Problem | None:
    path = file.path
    try:
        # Never through a link: what it leads to may change without the pack.
        if not stat.S_ISREG((folder / path).lstat().st_mode):
            return Problem(path, "changed", "it is no regular file")
        now = measure(folder, path)
    except OSError as error:
        return Problem(path, "unreadable", error.strerror or type(error).__name__)
    if now.size != file.size:
        return Problem(path, "changed", f"it has {now.size:,} bytes instead of {file.size:,}")
    if now.sha256 != file.sha256:
        return Problem(path, "changed", f"its SHA-256 is {now.sha256} instead of {file.sha256}")
    return None
