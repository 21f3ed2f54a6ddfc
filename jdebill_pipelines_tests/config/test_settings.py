"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from jdebill_pipelines.config.settings import Settings, SettingsError


def test_an_empty_environment_means_everything_beside_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any variable the folder one stands in is used, and the embedded server."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"JDEBILL_DATABASE_URL": " "})
    assert settings.database_url is None
    assert settings.connections_dir == tmp_path / "connections"
    assert settings.home == tmp_path / ".jdebill"
    assert settings.key_file == tmp_path / ".jdebill" / "master.key"
    assert settings.dagster_home == tmp_path / ".jdebill" / "dagster"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_the_driver_is_always_named(scheme: str) -> None:
    """SQLAlchemy 2.1 would read a bare postgresql:// as another driver."""
    settings = Settings.from_environment(
        {"JDEBILL_DATABASE_URL": f"{scheme}://u:p%40ss@db.example.com/x?sslmode=require"}
    )
    assert settings.database_url == "postgresql+psycopg2://u:p%40ss@db.example.com/x?sslmode=require"
    assert "p%40ss" not in repr(settings)


@pytest.mark.parametrize("url", ["mysql://u:s3cret@h/x", "s3cret", "postgresql://u:s3cret@h", "postgresql://[s3cret/x"])
def test_an_unusable_database_url_is_explained_without_its_secret(url: str) -> None:
    """The text names the variable and never repeats the URL."""
    with pytest.raises(SettingsError, match="JDEBILL_DATABASE_URL") as caught:
        Settings.from_environment({"JDEBILL_DATABASE_URL": url})
    assert "s3cret" not in str(caught.value)


def test_the_master_key_is_not_shown() -> None:
    """A printed Settings holds no key."""
    settings = Settings.from_environment({"JDEBILL_MASTER_KEY": "abcdef"})
    assert settings.master_key == "abcdef"
    assert "abcdef" not in repr(settings)
