"""Pipelines that join Oracle JD Edwards EnterpriseOne and BILL. Import-free, so that no wiring happens at import."""
