"""Pipelines that join Oracle JD Edwards EnterpriseOne and BILL. Import-free, so that no wiring happens at import."""

# Part of every asset's data version: raise it when the meaning of what an asset holds changes.
CODE_VERSION = "1"
