"""One byte form per value, and the digests built on it: the domain's, under the name that the store uses.

Belongs here: nothing more. There is one implementation, so that a hash made by a rule and one made from a stored row
cannot differ.
"""

from __future__ import annotations

from jdebill_pipelines.domain.canonical import canonical_json, content_hash, digest, form_hash, plain, written_json

__all__ = ["canonical_json", "content_hash", "digest", "form_hash", "plain", "written_json"]
