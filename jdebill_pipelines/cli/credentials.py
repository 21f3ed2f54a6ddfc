"""`jdebill credentials`: the encrypted logins.

Belongs here: asking for secrets and storing them sealed, changing the master key. Does not belong here: cryptography
(config/vault.py). A secret is never printed, logged or taken as an argument (arguments are visible to other users).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec
from sqlalchemy.engine import Engine

from jdebill_pipelines.cli.exits import DONE, WrongUse
from jdebill_pipelines.cli.output import examples, json_option, note, print_json, print_table
from jdebill_pipelines.cli.session import connection_named, open_engine
from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import (
    Tampered,
    Vault,
    VaultError,
    WrongKey,
    decode_key,
    load_vault,
    new_key,
    read_key_file,
    write_key_file,
)

# system -> its fields, each with the words of the prompt and whether it is hidden
SYSTEMS: dict[str, dict[str, tuple[str, bool]]] = {
    "jde": {"username": ("JD Edwards user", False), "password": ("JD Edwards password", True)},
    "bill": {
        "username": ("BILL user (e-mail) or sync token name", False),
        "password": ("BILL password or sync token value", True),
        "dev_key": ("BILL developer key", True),
    },
}
# Systems that are only set by a program (--stdin) or by another command.
_OPTIONAL: dict[str, dict[str, bool]] = {"webhook": {"security_key": True, "previous_key": False}}
NEW_KEY_VARIABLE = "JDEBILL_NEW_MASTER_KEY"


@click.group()
def credentials() -> None:
    """The encrypted logins: set, list, rotate-key."""


@credentials.command(
    "set",
    epilog=examples(
        "jdebill credentials set acme",
        "jdebill credentials set acme --system bill",
        "vault read ... | jdebill credentials set acme --stdin",
        "The JSON of --stdin, any of its parts:",
        '{"jde": {"username": "", "password": ""},',
        '"bill": {"username": "", "password": "", "dev_key": ""},',
        '"webhook": {"security_key": ""}}',
    ),
)
@click.argument("name")
@click.option("--system", type=click.Choice(list(SYSTEMS)), help="Ask only for this system's login.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read JSON from standard input instead of asking.")
@json_option
def set_(name: str, system: str | None, from_stdin: bool, as_json: bool) -> int:
    """Store the logins of a connection, encrypted."""
    from jdebill_pipelines.store.credentials import connections_with_credentials
    from jdebill_pipelines.store.store import Store

    settings = Settings.from_environment()
    connection_named(settings, name)
    given = _read(sys.stdin.read()) if from_stdin else _ask([system] if system else list(SYSTEMS))
    with open_engine(settings) as engine:
        # A new key may only be made where nothing is sealed with an old one.
        vault = load_vault(settings, create=not connections_with_credentials(engine))
        _open_all(engine, vault)
        for one, fields in given.items():
            Store(engine, name).credentials.put(one, vault.encrypt(name, one, msgspec.json.encode(fields)))
    if as_json:
        print_json({"connection": name, "stored": sorted(given)})
    else:
        click.echo(f"Stored for {name}: {', '.join(sorted(given))}.")
    return DONE


@credentials.command(
    "list",
    epilog=examples(
        "jdebill credentials list",
    ),
)
@json_option
def list_(as_json: bool) -> int:
    """List which logins are stored, and since when. Secrets are not shown."""
    from jdebill_pipelines.store.credentials import connections_with_credentials
    from jdebill_pipelines.store.store import Store

    with open_engine(Settings.from_environment()) as engine:
        rows = [
            {"connection": name, "system": system, "since": since}
            for name in connections_with_credentials(engine)
            for system, since in Store(engine, name).credentials.systems().items()
        ]
    if as_json:
        print_json(rows)
    else:
        print_table(
            ["Connection", "System", "Since (UTC)"],
            [tuple(row.values()) for row in rows],
            empty="No logins are stored. Store some with: jdebill credentials set NAME",
        )
    return DONE


@credentials.command(
    "rotate-key",
    epilog=examples(
        "jdebill credentials rotate-key",
        "JDEBILL_NEW_MASTER_KEY=$(openssl rand -base64 32) jdebill credentials rotate-key",
    ),
)
@json_option
def rotate_key(as_json: bool) -> int:
    """Encrypt every login of every connection with a new master key, all in one transaction.

    With a key file, the new key is made and the file replaced. With JDEBILL_MASTER_KEY, give the new key in
    JDEBILL_NEW_MASTER_KEY and change JDEBILL_MASTER_KEY afterwards. Stop `jdebill up` before and start it after.
    """
    from jdebill_pipelines.store.credentials import rotate_all

    settings = Settings.from_environment()
    old = load_vault(settings)
    in_file = settings.master_key is None
    given = os.environ.get(NEW_KEY_VARIABLE)
    if in_file and given:
        raise WrongUse(f"the master key is in {settings.key_file}, a new one is made for it: unset {NEW_KEY_VARIABLE}")
    if not in_file and not given:
        raise WrongUse(f"the master key comes from JDEBILL_MASTER_KEY: give the new one in {NEW_KEY_VARIABLE}")
    with open_engine(settings) as engine:
        if in_file:
            draft = settings.key_file.with_name(f"{settings.key_file.name}.new")
            new = _drafted(draft)
            count = _rotated(engine, old, new, draft)
            draft.replace(settings.key_file)
        else:
            assert given is not None
            new = Vault(decode_key(given, NEW_KEY_VARIABLE))
            count = rotate_all(engine, old, new)
    if as_json:
        print_json({"rotated": count, "key_id": new.key_id.hex()})
    else:
        click.echo(f"{count} secrets are encrypted with the new key {new.key_id.hex()}.")
    if not in_file:
        note(f"Now set JDEBILL_MASTER_KEY to the value of {NEW_KEY_VARIABLE} everywhere.")
    return DONE


def _open_all(engine: Engine, vault: Vault) -> None:
    """Make sure that the key opens what is stored: two keys in one database help nobody."""
    from jdebill_pipelines.store.credentials import connections_with_credentials
    from jdebill_pipelines.store.store import Store

    for name, systems in connections_with_credentials(engine).items():
        for system in systems:
            blob = Store(engine, name).credentials.get(system)
            try:
                vault.decrypt(name, system, blob or b"")
            except Tampered as problem:
                note(f"Note: {problem}")


def _drafted(draft: Path) -> Vault:
    """Write the new key beside the old one before anything is sealed with it: a crash must not lose it.

    A draft that is there already is of a rotation that was cut off; it is taken up again.
    """
    write_key_file(draft, new_key())
    return Vault(decode_key(read_key_file(draft), str(draft)))


def _rotated(engine: Engine, old: Vault, new: Vault, draft: Path) -> int:
    from jdebill_pipelines.store.credentials import rotate_all

    try:
        return rotate_all(engine, old, new)
    except WrongKey:
        # The database may have been rotated already by the run that left the draft behind.
        try:
            return rotate_all(engine, new, new)
        except VaultError:
            draft.unlink()
            raise


def _ask(systems: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for system in systems:
        found[system] = {
            name: click.prompt(words, hide_input=hidden, err=True).strip()
            for name, (words, hidden) in SYSTEMS[system].items()
        }
    return found


def _read(text: str) -> dict[str, dict[str, str]]:
    """Read the JSON of ``--stdin``; no error repeats any of it."""
    try:
        raw = msgspec.json.decode(text, type=dict[str, dict[str, str]])
    except msgspec.DecodeError:
        raise WrongUse('standard input is not JSON of the form {"jde": {"username": "...", ...}, ...}') from None
    known = {system: dict.fromkeys(fields, True) for system, fields in SYSTEMS.items()} | _OPTIONAL
    if not raw:
        raise WrongUse(f"standard input names no system; allowed: {', '.join(known)}")
    for system, fields in raw.items():
        if system not in known:
            raise WrongUse(f"standard input: {system!r} is no system; allowed: {', '.join(known)}")
        for name in fields:
            if name not in known[system]:
                raise WrongUse(f"standard input: {system}.{name} is no key; allowed: {', '.join(known[system])}")
        missing = [name for name, needed in known[system].items() if needed and not fields.get(name, "").strip()]
        if missing:
            raise WrongUse(f"standard input: {system}.{missing[0]} is missing or blank")
    return raw
