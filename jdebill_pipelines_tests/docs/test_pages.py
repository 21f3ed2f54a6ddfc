"""What the documentation says is true: generated pages, commands, links and environment variables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from jdebill_pipelines_tests.docs.pages import PAGES, ROOT, commands

WRITTEN = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "orchestrations").glob("*.md")])
PLACEHOLDERS = {"NAME": "acme", "YYYY-MM": "2026-10", "KEY": "00001-PV-1", "DIR": "out"}


@pytest.mark.parametrize("name", PAGES)
def test_generated_page_is_what_the_code_says(name: str) -> None:
    """The page in docs/ is the one that `make docs` would write now."""
    assert (ROOT / name).read_text("utf-8") == PAGES[name](), f"{name} is out of date: run `make docs` and commit it"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    """Relative links and files named in backticks exist."""
    text = path.read_text("utf-8")
    linked = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    named = set(re.findall(r"`((?:docs|orchestrations|connections)/[\w./-]+\.\w+)`", text))
    missing = {link for link in linked - {""} if not (path.parent / link).exists()}
    missing |= {name for name in named if not (ROOT / name).exists() and not name.startswith("connections/acme")}
    assert not missing, f"{path.name} names what is not there: {sorted(missing)}"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_command_can_be_typed(path: Path) -> None:
    """Each `jdebill ...` in a page names a command that exists, with options that it has."""
    known = {name: command for name, command, _ in commands()}
    for line in _commands_in(path.read_text("utf-8")):
        words = _words(line)
        name = "jdebill"
        while len(words) > 1 and f"{name} {words[1]}" in known:
            name = f"{name} {words.pop(1)}"
        assert name in known
        assert name == "jdebill" or not isinstance(known[name], click.Group) or len(words) == 1, f"{path.name}: {line}"
        options = {
            option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        used = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
        assert used <= options | {"--help", "--version"}, f"{path.name}: {line}: {sorted(used - options)}"


def _commands_in(text: str) -> list[str]:
    """Commands in backticks and in fenced blocks."""
    fenced = re.findall(r"^(?:\$ )?(?:\w+=\S+ )*(jdebill .*)$", text, re.MULTILINE)
    inline = re.findall(r"`(?:\w+=\S+ )*(jdebill [^`]*)`", text)
    return [line for line in fenced + inline if " / " not in line]


def _words(line: str) -> list[str]:
    line = re.split(r"\s[|#>]|\s{2,}|:\s", line)[0].replace("[", "").replace("]", "").replace("...", "")
    return [PLACEHOLDERS.get(word, word).rstrip(".,:;") for word in shlex.split(line)]


def test_every_environment_variable_is_known() -> None:
    """A variable that a page names is read somewhere in the product."""
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "jdebill_pipelines").rglob("*.py"))
    named = {name for path in WRITTEN for name in re.findall(r"\bJDEBILL_[A-Z_]+\b", path.read_text("utf-8"))}
    assert not {name for name in named if name not in code}
