"""Tests of the audit: the copies of the ledgers, the procedures and the report over a company that was paid."""
