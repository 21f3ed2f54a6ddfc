"""Alerts: what a cause is called, what a person reads, and how it is sent. Who raises one is not known here."""
