"""A pack of one month, made once and copied by the tests that harm it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jdebill_pipelines.audit.pack.pack import write_pack
from jdebill_pipelines.config.vault import Vault
from jdebill_pipelines.store.journal import Head
from jdebill_pipelines_tests.audit_pack import synthetic

VAULT = Vault(bytes(range(32)))
HEAD = Head(12, "ab" * 32)


@pytest.fixture(scope="session")
def month_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pack; not to be changed."""
    folder = tmp_path_factory.mktemp("pack") / "acme-2026-10"
    write_pack(synthetic.month(), folder, vault=VAULT, journal=HEAD, packed_by="1.2.3")
    return folder
