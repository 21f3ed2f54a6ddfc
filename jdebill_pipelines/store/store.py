"""The facade: an engine and a connection's name, and everything that is stored under it.

Does not belong here: any statement.
"""

from __future__ import annotations

from functools import cached_property

from jdebill_pipelines.store.alerts import Alerts
from jdebill_pipelines.store.audit import AuditReports
from jdebill_pipelines.store.contents import Contents
from jdebill_pipelines.store.credentials import Credentials
from jdebill_pipelines.store.drafts import Drafts
from jdebill_pipelines.store.due import Due
from jdebill_pipelines.store.inbox import Inbox
from jdebill_pipelines.store.journal import Journal
from jdebill_pipelines.store.links import Links
from jdebill_pipelines.store.maps import Maps
from jdebill_pipelines.store.mirror import Mirror
from jdebill_pipelines.store.quarantine import Quarantine
from jdebill_pipelines.store.releases import Releases
from jdebill_pipelines.store.runs import Runs
from jdebill_pipelines.store.scope import Scope
from jdebill_pipelines.store.staging import Staging
from jdebill_pipelines.store.verdicts import Verdicts
from jdebill_pipelines.store.writes import Writes


class Store(Scope):
    """The database as one connection sees it. Safe to share between threads; make a new one in a new process."""

    @cached_property
    def staging(self) -> Staging:
        """What JDE said."""
        return Staging(self)

    @cached_property
    def mirror(self) -> Mirror:
        """What BILL said."""
        return Mirror(self)

    @cached_property
    def maps(self) -> Maps:
        """Which supplier is which vendor, which account is which."""
        return Maps(self)

    @cached_property
    def drafts(self) -> Drafts:
        """What would be written."""
        return Drafts(self)

    @cached_property
    def verdicts(self) -> Verdicts:
        """What the gate said of it."""
        return Verdicts(self)

    @cached_property
    def releases(self) -> Releases:
        """What may be sent."""
        return Releases(self)

    @cached_property
    def writes(self) -> Writes:
        """The write ledger."""
        return Writes(self)

    @cached_property
    def links(self) -> Links:
        """What is the same on both sides."""
        return Links(self)

    @cached_property
    def quarantine(self) -> Quarantine:
        """What is held back and why."""
        return Quarantine(self)

    @cached_property
    def journal(self) -> Journal:
        """What was done, hash-chained."""
        return Journal(self)

    @cached_property
    def due(self) -> Due:
        """What has to be done, and how far it was read."""
        return Due(self)

    @cached_property
    def inbox(self) -> Inbox:
        """The webhook events."""
        return Inbox(self)

    @cached_property
    def credentials(self) -> Credentials:
        """The encrypted secrets."""
        return Credentials(self)

    @cached_property
    def runs(self) -> Runs:
        """The run records."""
        return Runs(self)

    @cached_property
    def alerts(self) -> Alerts:
        """The alerts that wait, and the windows of those that were sent."""
        return Alerts(self)

    @cached_property
    def audit(self) -> AuditReports:
        """The reports of the audit."""
        return AuditReports(self)

    @cached_property
    def contents(self) -> Contents:
        """Digests of what is stored."""
        return Contents(self)
