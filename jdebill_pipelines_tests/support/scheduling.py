"""Which tests go to which process of ``pytest -n``: what shares a costly fixture stays together, long files go first.

Belongs here: the split. Does not belong here: fixtures.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

# Their tests ask one page or read one story, which takes longer to make than to look at.
TOGETHER = ("ui", "audit_trace")
# So that no process is left alone with the last of them.
LONG = ("audit_trace", "faults", "integration", "integration_payments", "audit", "payments", "orchestration", "ui")


def folder_of(nodeid: str) -> str:
    """The folder of a test below the package, '' for a test of the package itself."""
    parts = PurePosixPath(nodeid.split("::", 1)[0]).parts
    return parts[1] if len(parts) > 2 else ""


def rank(nodeid: str) -> int:
    """Where a test comes in the order: the long ones first."""
    folder = folder_of(nodeid)
    return LONG.index(folder) if folder in LONG else len(LONG)


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """A file stays together, and so does each folder of ``TOGETHER``."""

    def _split_scope(self, nodeid: str) -> str:
        folder = folder_of(nodeid)
        return folder if folder in TOGETHER else nodeid.split("::", 1)[0]
