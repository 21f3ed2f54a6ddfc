"""The vault: what opens, what does not, and how the two are told apart."""

from __future__ import annotations

import base64
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jdebill_pipelines.config.settings import Settings
from jdebill_pipelines.config.vault import (
    Tampered,
    Vault,
    VaultError,
    WrongKey,
    decode_key,
    is_signed,
    load_vault,
    new_key,
    read_key_file,
    write_key_file,
)

KEY = bytes(range(32))


def settings(home: Path, **env: str) -> Settings:
    """Settings with everything under one folder."""
    return Settings.from_environment({"JDEBILL_HOME": str(home), **env})


@given(st.binary(max_size=200), st.text(max_size=20), st.text(max_size=20))
def test_what_was_sealed_opens_for_its_own_row_only(secret: bytes, connection: str, system: str) -> None:
    """A ciphertext moved to any other connection or system does not open, whatever the names."""
    vault = Vault(KEY)
    blob = vault.encrypt(connection, system, secret)
    assert vault.decrypt(connection, system, blob) == secret
    for other in (
        (connection + "x", system),
        (connection, system + "x"),
        (connection + system, ""),
        ("", connection + system),
    ):
        if other != (connection, system):
            with pytest.raises(Tampered):
                vault.decrypt(*other, blob)


def test_every_changed_byte_is_noticed() -> None:
    """Version, key id, nonce, ciphertext and tag are all protected, and a cut blob is refused."""
    vault = Vault(KEY)
    blob = vault.encrypt("acme", "jde", b"secret")
    assert b"secret" not in blob
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(VaultError):
            vault.decrypt("acme", "jde", bytes(changed))
    for length in range(len(blob)):
        with pytest.raises(Tampered):
            vault.decrypt("acme", "jde", blob[:length])


def test_a_wrong_key_is_told_apart_from_a_changed_ciphertext() -> None:
    """The remedy differs: give the right key, or set the secret again."""
    blob = Vault(KEY).encrypt("acme", "jde", b"secret")
    with pytest.raises(WrongKey, match="JDEBILL_MASTER_KEY"):
        Vault(bytes(32)).decrypt("acme", "jde", blob)
    with pytest.raises(Tampered, match="credentials set acme"):
        Vault(KEY).decrypt("acme", "jde", blob[:-1] + b"\0\0")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    """Equal passwords cannot be recognised in the database."""
    vault = Vault(KEY)
    assert vault.encrypt("a", "b", b"x") != vault.encrypt("a", "b", b"x")


def test_signatures_hold_for_exactly_the_data_and_the_key() -> None:
    """The public key is enough to check; every changed byte and every other key is told; signing is repeatable."""
    vault, other = Vault(KEY), Vault(bytes(32))
    signature = vault.sign(b"manifest")
    assert is_signed(vault.public_key, b"manifest", signature)
    assert signature == Vault(KEY).sign(b"manifest")
    assert not is_signed(vault.public_key, b"manifesT", signature)
    assert not is_signed(other.public_key, b"manifest", signature)
    assert not is_signed(b"no key", b"manifest", signature)
    assert not is_signed(vault.public_key, b"manifest", b"")
    for position in range(len(signature)):
        for bit in range(8):
            changed = bytearray(signature)
            changed[position] ^= 1 << bit
            assert not is_signed(vault.public_key, b"manifest", bytes(changed)), (position, bit)


def test_the_public_key_gives_nothing_away_and_names_one_master_key() -> None:
    """It is neither the master key nor anything that opens a secret, and differs from key to key."""
    vault = Vault(KEY)
    assert vault.public_key not in (KEY, vault.key_id)
    assert vault.public_key != Vault(bytes(32)).public_key
    assert KEY.hex() not in vault.public_key.hex()


@pytest.mark.parametrize(
    "text", ["", "not base64!", base64.b64encode(b"short").decode(), base64.b64encode(bytes(33)).decode()]
)
def test_an_unusable_key_is_explained_and_not_repeated(text: str) -> None:
    """Wrong alphabet or wrong length: the text says how to make a right one."""
    with pytest.raises(VaultError, match="openssl rand -base64 32") as caught:
        decode_key(text, "JDEBILL_MASTER_KEY")
    assert not text or text not in str(caught.value)
    with pytest.raises(VaultError, match="32 bytes"):
        Vault(b"short")


def test_a_key_file_is_made_only_when_allowed(tmp_path: Path) -> None:
    """Reading never makes a key: a new key could not open what is stored."""
    with pytest.raises(VaultError, match="no master key"):
        load_vault(settings(tmp_path))
    assert not (tmp_path / "master.key").exists()
    vault = load_vault(settings(tmp_path), create=True)
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert load_vault(settings(tmp_path)).key_id == vault.key_id
    assert load_vault(settings(tmp_path), create=True).key_id == vault.key_id


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """With JDEBILL_MASTER_KEY no file is read or made."""
    vault = load_vault(settings(tmp_path, JDEBILL_MASTER_KEY=base64.b64encode(KEY).decode()), create=True)
    assert vault.key_id == Vault(KEY).key_id
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o660])
def test_a_key_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """Group or world rights of any kind: one line says how to repair it."""
    path = tmp_path / "master.key"
    write_key_file(path, new_key())
    path.chmod(mode)
    with pytest.raises(VaultError, match=f"chmod 600 {path}"):
        read_key_file(path)


def test_key_files_that_are_none_are_refused(tmp_path: Path) -> None:
    """A folder, binary rubbish, or a file of another user."""
    with pytest.raises(VaultError, match="cannot be read"):
        read_key_file(tmp_path)
    path = tmp_path / "binary.key"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(VaultError, match="not text"):
        read_key_file(path)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        with pytest.raises(VaultError, match="another user"):
            read_key_file(path)


def test_two_processes_that_make_the_key_at_once_agree(tmp_path: Path) -> None:
    """The first file wins and nobody reads half of one."""
    found: list[bytes] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        found.append(load_vault(settings(tmp_path), create=True).key_id)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["master.key"]
