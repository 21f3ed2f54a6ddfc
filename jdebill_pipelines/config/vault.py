"""The vault's cryptography: secrets sealed for one connection and system, evidence signed.

Belongs here: keys, encryption, signatures, the key file. Does not belong here: where ciphertext is kept
(store/credentials.py).

A sealed secret is ``version (1) | key id (8) | nonce (12) | AES-256-GCM ciphertext and tag``. Version, key id,
connection and system are authenticated with it, so that a ciphertext moved to another row does not open. The key id is
derived from the master key: a wrong key is told apart from a changed ciphertext.

Every key in use is derived from the master key for one purpose (HKDF-SHA256). Evidence is signed with Ed25519, so that
whoever has the public key can check it, and only whoever has the master key can make it.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jdebill_pipelines.config.settings import Settings

KEY_BYTES = 32
_VERSION = b"\x01"
_ID_BYTES = 8
_NONCE_BYTES = 12
_HEAD = len(_VERSION) + _ID_BYTES


class VaultError(Exception):
    """The key is missing or unusable, or a ciphertext does not open; the text holds no secret."""


class WrongKey(VaultError):
    """The ciphertext was made with another master key."""


class Tampered(VaultError):
    """The ciphertext was changed, cut, or belongs to another connection or system."""


class Vault:
    """Seals, opens and signs with one master key.

    Args:
        master_key: 32 random bytes.

    Attributes:
        key_id: tells master keys apart; 8 bytes, no secret.
        public_key: of the signatures: raw Ed25519, 32 bytes, no secret. The same master key always gives the same.

    Raises:
        VaultError: the key has another length.
    """

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise VaultError(f"the master key must have {KEY_BYTES} bytes, this one has {len(master_key)}")
        self._cipher = AESGCM(_derive(master_key, b"seal"))
        self._signer = Ed25519PrivateKey.from_private_bytes(_derive(master_key, b"sign evidence"))
        self.public_key = self._signer.public_key().public_bytes_raw()
        self.key_id = _derive(master_key, b"key id")[:_ID_BYTES]

    def encrypt(self, connection: str, system: str, plaintext: bytes) -> bytes:
        """Seal a secret for one connection and system."""
        head = _VERSION + self.key_id
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return head + nonce + self._cipher.encrypt(nonce, plaintext, _bound(head, connection, system))

    def decrypt(self, connection: str, system: str, blob: bytes) -> bytes:
        """Open a sealed secret.

        Raises:
            WrongKey: it was sealed with another master key.
            Tampered: it was changed, or sealed for another connection or system.
        """
        what = f"the secret {system!r} of connection {connection!r}"
        head, nonce, body = blob[:_HEAD], blob[_HEAD : _HEAD + _NONCE_BYTES], blob[_HEAD + _NONCE_BYTES :]
        self._check_head(head, what)
        try:
            return self._cipher.decrypt(nonce, body, _bound(head, connection, system))
        except (InvalidTag, ValueError):
            raise Tampered(
                f"{what} does not open: it was changed, or stored for another connection or system; "
                f"set it again with: jdebill credentials set {connection}"
            ) from None

    def sign(self, data: bytes) -> bytes:
        """Return the Ed25519 signature of ``data``: 64 bytes, always the same for the same data and master key."""
        return self._signer.sign(data)

    def _check_head(self, head: bytes, what: str) -> None:
        if len(head) < _HEAD or head[:1] != _VERSION:
            raise Tampered(f"{what} is not in the vault's format (version {_VERSION[0]})")
        if head[1:] != self.key_id:
            raise WrongKey(
                f"{what} was made with the master key {head[1:].hex()}, the one given now is {self.key_id.hex()}: "
                "give the right JDEBILL_MASTER_KEY or key file"
            )


def is_signed(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` was made for exactly this ``data`` by the vault with this ``public_key``.

    Args:
        public_key: raw Ed25519, as ``Vault.public_key``; whose it is, the caller must know from elsewhere.
        data: what was signed.
        signature: as ``Vault.sign`` gave it; anything else is no signature.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def new_key() -> str:
    """Return a new random master key as base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def decode_key(text: str, source: str) -> bytes:
    """Decode a master key.

    Args:
        text: base64 of 32 bytes.
        source: where it came from, for the error.

    Raises:
        VaultError: it is something else; the text is not repeated.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise VaultError(f"{source}: the master key is not base64; make one with: openssl rand -base64 32") from None
    if len(key) != KEY_BYTES:
        raise VaultError(
            f"{source}: the master key has {len(key)} bytes, {KEY_BYTES} are needed; make one with: "
            "openssl rand -base64 32"
        )
    return key


def load_vault(settings: Settings, *, create: bool = False) -> Vault:
    """Open the vault with the key from JDEBILL_MASTER_KEY, or else from the key file.

    Args:
        settings: where the key is.
        create: make a key file when there is none (never when the environment gives the key).

    Raises:
        VaultError: there is no key, it is unusable, or others than its owner may read the file.
    """
    if settings.master_key is not None:
        return Vault(decode_key(settings.master_key, "JDEBILL_MASTER_KEY"))
    if create and not settings.key_file.exists():
        write_key_file(settings.key_file, new_key())
    return Vault(decode_key(read_key_file(settings.key_file), str(settings.key_file)))


def write_key_file(path: Path, key: str) -> None:
    """Write a new key file that only its owner can read; an existing file is left as it is.

    The file appears whole or not at all, also when two processes write at once: the first wins.

    Raises:
        VaultError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(key + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return
        finally:
            draft.unlink()
    except OSError as error:
        raise VaultError(f"{path}: the key file cannot be written: {error.strerror}") from None


def read_key_file(path: Path) -> str:
    """Read a key file.

    Raises:
        VaultError: it is missing, not a file, somebody else's, or readable by others than its owner.
    """
    try:
        with path.open(encoding="ascii") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise VaultError(f"{path}: the key file is not a regular file")
            if status.st_uid not in (os.geteuid(), 0):
                raise VaultError(f"{path}: the key file belongs to another user (uid {status.st_uid})")
            if status.st_mode & 0o077:
                raise VaultError(
                    f"{path}: others than its owner may read the key file (mode {status.st_mode & 0o777:04o}); "
                    f"run: chmod 600 {path}"
                )
            return file.read(4096)
    except FileNotFoundError:
        raise VaultError(
            "no master key: set JDEBILL_MASTER_KEY (openssl rand -base64 32), "
            f"or let `jdebill credentials set` make {path}"
        ) from None
    except UnicodeDecodeError:
        raise VaultError(f"{path}: the key file is not text") from None
    except OSError as error:
        raise VaultError(f"{path}: the key file cannot be read: {error.strerror}") from None


def _derive(master_key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"jdebill vault 1: " + purpose).derive(master_key)


def _bound(head: bytes, connection: str, system: str) -> bytes:
    """Lengths go first, so that no two pairs of names give the same bytes."""
    names = [name.encode("utf-8") for name in (connection, system)]
    return head + b"".join(len(name).to_bytes(2, "big") + name for name in names)
