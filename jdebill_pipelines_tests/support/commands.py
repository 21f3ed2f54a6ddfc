"""What a command of ours said.

Belongs here: its exit code and streams. Does not belong here: running it (the fixtures that set its environment).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; amounts as they are written, never a float."""
        return json.loads(self.out, parse_float=str)


Command = Callable[..., Said]
