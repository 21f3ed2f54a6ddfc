"""The import arrows of docs/architecture.md, held by reading every module's imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import jdebill_pipelines

PACKAGE = Path(jdebill_pipelines.__file__).parent

STEPS = {"domain", "schemas", "config", "jde", "bill", "store", "transport"}
ALLOWED: dict[str, set[str]] = {
    "domain": set(),
    "schemas": {"domain"},
    "config": set(),
    "transport": set(),
    "jde": {"transport", "domain"},
    "bill": {"transport", "domain"},
    "store": {"domain"},
    "steps": STEPS,
    "alerts": {"domain", "config", "store"},
    "audit": STEPS | {"steps"},
    "receiver": {"config", "store", "bill", "domain"},
    "orchestration": STEPS | {"steps", "alerts", "audit"},
    "cli": STEPS | {"steps", "alerts", "audit", "receiver", "orchestration", "sandbox", "build"},
    "sandbox": set(),
    "build": STEPS | {"steps", "alerts", "audit", "orchestration"},
    "definitions": {"build", "config", "steps"},
}


def modules() -> list[Path]:
    """Every module of the product."""
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def room(path: Path) -> str:
    """The package (or top-level module) that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """The rooms of ours that a module imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the arrow"
            names = [node.module or ""]
            if node.module == "jdebill_pipelines":
                names = [f"jdebill_pipelines.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("jdebill_pipelines.")}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_module_imports_only_what_its_room_may(path: Path) -> None:
    """A module imports only the packages that its own package is allowed to know."""
    here = room(path)
    assert here in ALLOWED, f"{here} is not a room of the house: add it to docs/architecture.md and to this test"
    forbidden = imported_rooms(path) - ALLOWED[here] - {here}
    assert not forbidden, f"{path.relative_to(PACKAGE)} imports {sorted(forbidden)}"


def test_every_room_is_in_the_architecture_page() -> None:
    """The page that people read names every package that exists."""
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert {r for r in rooms if f"  {r}/" not in page} == set()


def test_only_orchestration_knows_dagster() -> None:
    """Domain, clients, store and steps run and are tested without Dagster."""
    free = set(ALLOWED) - {"orchestration", "cli", "build", "definitions", "alerts"}
    guilty = [
        str(p.relative_to(PACKAGE))
        for p in modules()
        if room(p) in free
        and any(line.startswith(("import dagster", "from dagster")) for line in p.read_text("utf-8").splitlines())
    ]
    assert guilty == []
