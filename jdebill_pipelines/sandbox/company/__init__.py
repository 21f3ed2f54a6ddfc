"""A built-in demo company as JDE tables: seeded, consistent to the cent, with every awkward case.

Belongs here: generated data. Imports nothing else of ours. ``build_company`` makes it, ``Company.write`` writes one CSV
per table (format: docs of the sandbox), ``Company.awkward`` says which documents need care and what should become of
them.
"""

from __future__ import annotations

from jdebill_pipelines.sandbox.company.generate import SIZES, Size, build_company
from jdebill_pipelines.sandbox.company.model import Awkward, Company

__all__ = ["SIZES", "Awkward", "Company", "Size", "build_company"]
