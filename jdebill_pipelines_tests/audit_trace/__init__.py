"""The trace of a document from purchase order to cleared payment."""
