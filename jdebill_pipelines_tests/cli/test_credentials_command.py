"""`jdebill credentials`: secrets in, never out; the key changed without losing one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import Vault, WrongKey, decode_key, load_vault, new_key, write_key_file
from jdebill_pipelines.store.store import Store
from jdebill_pipelines_tests.support.commands import Command

LOGINS = {
    "jde": {"username": "APINT", "password": "jde-p4ss"},
    "bill": {"username": "sync@example.com", "password": "bill-p4ss", "dev_key": "dev-k3y"},
    "webhook": {"security_key": "hook-k3y"},
}
SECRETS = ("jde-p4ss", "bill-p4ss", "dev-k3y", "hook-k3y")


def stored(engine: Engine, system: str, vault: Vault | None = None) -> dict[str, str]:
    """A login as the product would read it."""
    blob = Store(engine, "acme").credentials.get(system)
    assert blob is not None
    found: dict[str, str] = json.loads((vault or load_vault(Settings.from_environment())).decrypt("acme", system, blob))
    return found


def test_what_was_given_is_stored_sealed_and_listed_without_secrets(
    jdebill: Command, database: str, engine: Engine, home: Path
) -> None:
    """From standard input; a key file is made, readable by its owner only; no secret is printed."""
    said = jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    assert (said.code, said.out) == (0, "Stored for acme: bill, jde, webhook.\n")
    assert (home / "home" / "master.key").stat().st_mode & 0o777 == 0o600
    assert {system: stored(engine, system) for system in LOGINS} == LOGINS
    listed = jdebill("credentials", "list")
    as_json = jdebill("credentials", "list", "--json")
    assert [(r["connection"], r["system"]) for r in as_json.json] == [
        ("acme", "bill"),
        ("acme", "jde"),
        ("acme", "webhook"),
    ]
    for secret in SECRETS:
        assert secret not in said.out + said.err + listed.out + as_json.out
        assert secret.encode() not in (Store(engine, "acme").credentials.get("bill") or b"")


def test_it_asks_for_one_system_and_hides_what_is_typed(
    jdebill: Command, database: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the system named is asked for; passwords go through the hidden prompt."""
    typed = {"password": "bill-p4ss", "key": "dev-k3y"}
    monkeypatch.setattr(
        "click.termui.hidden_prompt_func", lambda prompt: typed["key" if "key" in prompt else "password"]
    )
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _prompt: "sync@example.com")
    said = jdebill("credentials", "set", "acme", "--system", "bill")
    assert said.code == 0
    assert stored(engine, "bill") == LOGINS["bill"]
    assert Store(engine, "acme").credentials.get("jde") is None
    assert "p4ss" not in said.out + said.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jde-p4ss", "not JSON"),
        ('["jde-p4ss"]', "not JSON"),
        ("{}", "allowed: jde, bill, webhook"),
        ('{"jde": {"username": "u", "password": "jde-p4ss", "token": "x"}}', "jde.token is no key"),
        ('{"jdee": {"username": "u", "password": "jde-p4ss"}}', "'jdee' is no system"),
        ('{"jde": {"username": " ", "password": "jde-p4ss"}}', "jde.username is missing or blank"),
        ('{"bill": {"username": "u", "password": "jde-p4ss"}}', "bill.dev_key is missing"),
    ],
)
def test_wrong_input_is_explained_and_never_repeated(
    jdebill: Command, database: str, engine: Engine, text: str, words: str
) -> None:
    """Nothing is stored; the line holds no part of a secret."""
    said = jdebill("credentials", "set", "acme", "--stdin", stdin=text)
    assert said.code == 2
    assert words in said.err
    assert "p4ss" not in said.err
    assert Store(engine, "acme").credentials.systems() == {}


def test_a_lost_key_is_not_replaced_silently(jdebill: Command, database: str, home: Path) -> None:
    """Where something is sealed already, no new key file is made, and another key is refused."""
    jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    (home / "home" / "master.key").unlink()
    said = jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    assert said.code == 2
    assert "no master key" in said.err
    write_key_file(home / "home" / "master.key", new_key())
    said = jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    assert said.code == 2
    assert "made with the master key" in said.err


def test_rotation_replaces_the_key_file_and_opens_everything(
    jdebill: Command, database: str, engine: Engine, home: Path
) -> None:
    """Every secret opens with the new key and none with the old one."""
    jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    old = load_vault(Settings.from_environment())
    said = jdebill("credentials", "rotate-key", "--json")
    assert said.code == 0
    assert said.json["rotated"] == 3
    assert said.json["key_id"] != old.key_id.hex()
    assert {system: stored(engine, system) for system in LOGINS} == LOGINS
    with pytest.raises(WrongKey):
        stored(engine, "jde", old)
    assert [p.name for p in (home / "home").iterdir() if "key" in p.name] == ["master.key"]


@pytest.mark.parametrize("rotated", [False, True], ids=["before the database", "after the database"])
def test_a_rotation_that_was_cut_off_is_taken_up_again(
    jdebill: Command, database: str, engine: Engine, home: Path, rotated: bool
) -> None:
    """The new key was written beside the old one first: whether the database was changed or not, a second try ends."""
    from jdebill_pipelines.store.credentials import rotate_all

    jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    old, key = load_vault(Settings.from_environment()), new_key()
    write_key_file(home / "home" / "master.key.new", key)
    if rotated:
        rotate_all(engine, old, Vault(decode_key(key, "test")))
    said = jdebill("credentials", "rotate-key")
    assert said.code == 0, said.err
    assert load_vault(Settings.from_environment()).key_id == Vault(decode_key(key, "test")).key_id
    assert {system: stored(engine, system) for system in LOGINS} == LOGINS


def test_rotation_of_a_key_from_the_environment(
    jdebill: Command, database: str, engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new key is given beside the old one; without it, or with a bad one, nothing happens."""
    monkeypatch.setenv("JDEBILL_MASTER_KEY", new_key())
    jdebill("credentials", "set", "acme", "--stdin", stdin=json.dumps(LOGINS))
    assert "JDEBILL_NEW_MASTER_KEY" in jdebill("credentials", "rotate-key").err
    monkeypatch.setenv("JDEBILL_NEW_MASTER_KEY", "c2hvcnQ=")
    assert jdebill("credentials", "rotate-key").code == 2
    assert stored(engine, "jde") == LOGINS["jde"]
    second = new_key()
    monkeypatch.setenv("JDEBILL_NEW_MASTER_KEY", second)
    said = jdebill("credentials", "rotate-key")
    assert said.code == 0
    assert second not in said.out + said.err
    monkeypatch.setenv("JDEBILL_MASTER_KEY", second)
    assert stored(engine, "bill") == LOGINS["bill"]
    assert not (home / "home" / "master.key").exists()
