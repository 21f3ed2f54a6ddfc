"""PostgreSQL: tables, migrations, staging loads, write ledger, links, inbox, quarantine, journal and locks.

Belongs here: everything that knows SQL. Does not belong here: rules about documents (domain/) and calls to either API.
"""
