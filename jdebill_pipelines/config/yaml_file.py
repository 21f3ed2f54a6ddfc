"""Reading of one YAML file without surprises: no duplicate keys, no floats, every fault in one line.

Belongs here: text to plain Python values. Does not belong here: what the values mean (connection.py).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml


class YamlProblem(Exception):
    """The file is not readable as YAML; the text is one line, without the file's name."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, but a key given twice is a fault and a number with a fraction is a Decimal."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | bool | Decimal):
            raise YamlProblem(f"line {key_node.start_mark.line + 1}: a key must be a plain word")
        if key in seen:
            raise YamlProblem(f"line {key_node.start_mark.line + 1}: the key {key!r} is given twice")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _fraction(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise YamlProblem(f"line {node.start_mark.line + 1}: {text} is not a decimal number") from None


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:float", _fraction)


def read_yaml(path: Path) -> Any:
    """Read a file into dicts, lists, strings, integers, Decimals, booleans, dates and None.

    Args:
        path: a UTF-8 YAML file.

    Raises:
        YamlProblem: it is missing, not readable, not UTF-8 or not YAML.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise YamlProblem("no such file") from None
    except UnicodeDecodeError as error:
        raise YamlProblem(f"not UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise YamlProblem(f"cannot be read: {error.strerror}") from None
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlProblem(f"{where}not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise YamlProblem(f"not YAML: {' '.join(str(error).split())}") from None
    except ValueError as error:
        # PyYAML lets the errors of date() and int() through, such as for 2026-13-01.
        raise YamlProblem(f"not YAML: {error}") from None
