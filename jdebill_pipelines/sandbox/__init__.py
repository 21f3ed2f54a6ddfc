"""AIS and BILL servers that behave as the contracts say. Imports no client code, so it cannot share its bugs."""
