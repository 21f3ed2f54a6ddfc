"""One connection: which JD Edwards environment is joined to which BILL organization, and how.

Belongs here: the keys of a connection file with their defaults, rules over several keys, loading. Does not belong
here: secrets (the vault) and what is done with the choices (domain, steps).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from jdebill_pipelines.config import checks
from jdebill_pipelines.config.checks import all_of, between, url
from jdebill_pipelines.config.decode import Decoder
from jdebill_pipelines.config.yaml_file import YamlProblem, read_yaml

Text = Annotated[str, checks.PLAIN]
Document = Literal["vouchers", "purchase_orders"]


class ConnectionFileError(Exception):
    """One or more connection files are wrong.

    Attributes:
        problems: one line per mistake: file, dotted key, what is wrong, what is allowed.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Orchestrations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of the JDE orchestrations as the CNC imported them.

    Attributes:
        voucher, payment, void, journal: what writes each kind of document.
    """

    voucher: Text = "JDEBILL_AP_VOUCHER"
    payment: Text = "JDEBILL_AP_PAYMENT"
    void: Text = "JDEBILL_AP_VOID"
    journal: Text = "JDEBILL_JOURNAL"


class JdeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JD Edwards side.

    Attributes:
        ais_url: full address of the AIS Server with its path prefix, without a slash at its end.
        environment, role: what to log in to; the role decides what can be read.
        device_name: binds the token (JDE AIS: a token works only from the device it was made for).
        companies: F0010.CO that are covered.
        approved_next_status: order type -> F4311.NXTR that mean approved (statuses are free codes of the customer's).
        voucher_document_types: F0411.DCT that are sent.
        voucher_pay_status: F0411.PST that mean payable.
        inactive_search_types: F0101.AT1 that mean a supplier is no longer used.
        orchestrations: names as imported.
        page_size: rows per answer.
        parallel_calls: calls in flight with one token.
        accept_gzip: whether to ask for compressed answers (some proxies break them).
        connect_timeout, read_timeout: seconds.
    """

    ais_url: Annotated[str, url(encrypted=False)]
    environment: Text
    role: Text
    companies: Annotated[list[Annotated[str, checks.COMPANY]], all_of(checks.NOT_EMPTY, checks.UNIQUE)]
    device_name: Text = ""
    approved_next_status: dict[str, Annotated[list[Annotated[str, checks.STATUS]], checks.NOT_EMPTY]] = {}
    voucher_document_types: Annotated[
        list[Annotated[str, checks.DOCUMENT_TYPE]], all_of(checks.NOT_EMPTY, checks.UNIQUE)
    ] = msgspec.field(default_factory=lambda: ["PV"])
    voucher_pay_status: Annotated[list[Annotated[str, checks.PAY_STATUS]], all_of(checks.NOT_EMPTY, checks.UNIQUE)] = (
        msgspec.field(default_factory=lambda: ["A"])
    )
    inactive_search_types: list[Annotated[str, checks.SEARCH_TYPE]] = msgspec.field(default_factory=lambda: ["VX"])
    orchestrations: Orchestrations = Orchestrations()
    page_size: Annotated[int, between(10, 10_000, "rows")] = 1000
    parallel_calls: Annotated[int, between(1, 8)] = 2
    accept_gzip: bool = True
    connect_timeout: Annotated[int, between(1, 120, "seconds")] = 10
    read_timeout: Annotated[int, between(5, 1800, "seconds")] = 120


class BillConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The BILL side.

    Attributes:
        api_url: base address of the API, ``.../connect``, without the version.
        events_url: base address of the webhook management, ``.../connect-events``.
        organization_id: 20 characters, begins with 008.
        webhook_url: public address of our receiver, what BILL posts events to; None = no webhooks.
        max_in_flight: calls at once over all processes (BILL API v3: at most three per developer key and organization).
        hourly_budget: calls per clock hour and developer key (BILL API v3: 20,000).
    """

    api_url: Annotated[str, url(encrypted=True)]
    organization_id: Annotated[str, checks.ORGANIZATION]
    events_url: Annotated[str, url(encrypted=True)] = ""
    webhook_url: Annotated[str, url(encrypted=True)] | None = None
    max_in_flight: Annotated[int, between(1, 3)] = 3
    hourly_budget: Annotated[int, between(100, 20_000, "calls")] = 20_000


class CreateMissing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether accounts and departments that BILL lacks are created there."""

    accounts: bool = False
    departments: bool = False


class GlConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a JDE account and business unit are named in BILL.

    Attributes:
        account_number, department: templates of the BILL account's number and the department's name.
        account_name, department_name: templates of the names that are created.
        overrides: CSV file with what no template can say, relative to the connection file; absolute once loaded.
    """

    account_number: Annotated[str, checks.TEMPLATE] = "{object}"
    department: Annotated[str, checks.TEMPLATE] = "{business_unit}"
    account_name: Annotated[str, checks.TEMPLATE] = "{object} {description}"
    department_name: Annotated[str, checks.TEMPLATE] = "{business_unit} {unit_description}"
    overrides: Path | None = None


class Writeback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a payment becomes in JDE, by where its bill came from; ``none`` writes nothing.

    Attributes:
        voucher: for a bill of a JDE voucher.
        purchase_order: for a bill of a JDE order.
        other: for a bill that did not come from JDE.
    """

    voucher: Literal["payment", "journal", "none"] = "payment"
    purchase_order: Literal["voucher", "journal", "none"] = "voucher"
    other: Literal["journal", "none"] = "journal"


class SyncConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is synchronised, when, and how strictly.

    Attributes:
        schedule: cron of the delta poll, in the connection's zone.
        nightly: cron of the full sweep over open months, in the connection's zone.
        documents: what is sent to BILL.
        purchase_order_basis: bill what was ordered, or what was received.
        gate: strict = one invalid document blocks its month; quarantine = it is held and the others pass.
        max_invalid_ratio: share of invalid documents (0 to 1) above which something systemic is wrong: the gate blocks.
        create_missing: accounts and departments that BILL lacks.
        gl: names in BILL.
        default_net_days: days until due when the payment terms say nothing.
        post_when: the first BILL payment status that posts to JDE.
        writeback: what a payment becomes in JDE.
        bank_account: short id (F0901.AID) of the JDE bank account that payments are booked on.
        closed_period: a payment whose date is in a closed period is held, or dated on the first open day.
    """

    schedule: Annotated[str, checks.CRON] = "*/15 * * * *"
    nightly: Annotated[str, checks.CRON] = "30 2 * * *"
    documents: Annotated[list[Document], all_of(checks.NOT_EMPTY, checks.UNIQUE)] = msgspec.field(
        default_factory=lambda: ["vouchers", "purchase_orders"]
    )
    purchase_order_basis: Literal["ordered", "received"] = "ordered"
    gate: Literal["quarantine", "strict"] = "quarantine"
    max_invalid_ratio: Annotated[Decimal, between(Decimal(0), Decimal(1))] = Decimal("0.25")
    create_missing: CreateMissing = CreateMissing()
    gl: GlConfig = GlConfig()
    default_net_days: Annotated[int, between(0, 365, "days")] = 30
    post_when: Literal["SCHEDULED", "READY_TO_FUND", "FUNDING_STARTED", "PROCESSED", "SENT", "DELIVERED", "CLEARED"] = (
        "PROCESSED"
    )
    writeback: Writeback = Writeback()
    bank_account: Annotated[str, checks.SHORT_ID] | None = None
    closed_period: Literal["hold", "next_open"] = "hold"


class AlertConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told when something needs a person.

    Attributes:
        urls_env: environment variable that holds the apprise URLs (they carry secrets); None = nobody.
        window_minutes: one alert per cause in this time.
    """

    urls_env: Annotated[str, checks.ENVIRONMENT_VARIABLE] | None = None
    window_minutes: Annotated[int, between(1, 10_080, "minutes")] = 60


class AuditConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the month-end report covers.

    Attributes:
        periods: ``month`` reports calendar months; ``fiscal`` the companies' own periods (F0008), each in the month in
            which it ends.
    """

    periods: Literal["month", "fiscal"] = "month"


class Connection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that is configured of one connection; no secret is in it.

    Attributes:
        name: first part of every key that is stored.
        enabled: whether Dagster shows and runs it.
        start_date: documents before it are not looked at.
        timezone: IANA zone of business dates and schedules.
    """

    name: Annotated[str, checks.NAME]
    start_date: date
    timezone: Annotated[str, checks.ZONE]
    jde: JdeConfig
    bill: BillConfig
    enabled: bool = True
    sync: SyncConfig = SyncConfig()
    alerts: AlertConfig = AlertConfig()
    audit: AuditConfig = AuditConfig()

    def __post_init__(self) -> None:
        jde = msgspec.structs.replace(
            self.jde, ais_url=self.jde.ais_url.rstrip("/"), device_name=self.jde.device_name or f"jdebill-{self.name}"
        )
        api_url = self.bill.api_url.rstrip("/")
        events_url = (self.bill.events_url or f"{api_url}-events").rstrip("/")
        bill = msgspec.structs.replace(self.bill, api_url=api_url, events_url=events_url)
        msgspec.structs.force_setattr(self, "jde", jde)
        msgspec.structs.force_setattr(self, "bill", bill)


def load_connection(path: Path) -> Connection:
    """Read and check one connection file.

    Args:
        path: a YAML file.

    Raises:
        ConnectionFileError: with one line for every mistake in it.
    """
    try:
        raw = read_yaml(path)
    except YamlProblem as problem:
        raise ConnectionFileError([f"{path}: {problem}"]) from None
    decoder = Decoder(base=path.parent)
    values = decoder.values(raw if raw is not None else {}, Connection, "")
    # Rules over several keys are also asked when something else is wrong: all mistakes at once.
    for key, text in _across(raw if isinstance(raw, dict) else {}, values):
        decoder.fault(key, text)
    if decoder.problems:
        raise ConnectionFileError([f"{path}: {key + ': ' if key else ''}{text}" for key, text in decoder.problems])
    return Connection(**values)


def load_connections(directory: Path, *, only_enabled: bool = False) -> dict[str, Connection]:
    """Read every ``*.yaml`` and ``*.yml`` file of a folder, by name of the connection.

    Args:
        directory: the folder; its subfolders are not read.
        only_enabled: leave out those that are switched off (they are checked all the same).

    Raises:
        ConnectionFileError: with one line for every mistake in all files, also a name that two files share.
    """
    found, problems = read_connections(directory)
    if problems:
        raise ConnectionFileError(problems)
    return {name: c for name, c in found.items() if c.enabled or not only_enabled}


def read_connections(directory: Path) -> tuple[dict[str, Connection], list[str]]:
    """Read a folder as ``load_connections`` does, and go on after a mistake: one customer's must not stop the others.

    Args:
        directory: the folder; its subfolders are not read.

    Returns:
        The connections whose files are right, by name, and one line for every mistake. A name that two files share is
        neither's.
    """
    if not directory.is_dir():
        return {}, [f"{directory}: no such folder; set JDEBILL_CONNECTIONS_DIR to the connection files"]
    problems: list[str] = []
    found: dict[str, Connection] = {}
    files: dict[str, Path] = {}
    for path in sorted(p for p in directory.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file()):
        try:
            connection = load_connection(path)
        except ConnectionFileError as error:
            problems += error.problems
            continue
        name = connection.name
        if name in files:
            problems.append(f"{path}: name: {name!r} is also the name in {files[name].name}")
            found.pop(name, None)
            continue
        files[name] = path
        found[name] = connection
    return dict(sorted(found.items())), problems


def _across(raw: dict[str, Any], values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the mistakes that only several keys together show."""
    sync, jde = values.get("sync"), values.get("jde")
    if sync is None and "sync" not in raw:
        sync = SyncConfig()
    if isinstance(sync, SyncConfig):
        chosen = {name: getattr(sync.writeback, name) for name in sync.writeback.__struct_fields__}
        writing = [f"{name}: {what}" for name, what in chosen.items() if what != "none"]
        if writing and sync.bank_account is None:
            yield (
                "sync.bank_account",
                f"is missing; sync.writeback ({', '.join(writing)}) books on it: give the short id of the JDE bank "
                'account, such as "00000123", or set every writeback to none',
            )
        if isinstance(jde, JdeConfig) and "purchase_orders" in sync.documents and not jde.approved_next_status:
            yield (
                "jde.approved_next_status",
                "is missing; without it no order counts as approved: give order types and their next statuses, such as "
                '{OP: ["280", "400"]}, or take purchase_orders out of sync.documents',
            )
    if isinstance(jde, JdeConfig):
        for order_type in jde.approved_next_status:
            problem = checks.DOCUMENT_TYPE.problem(order_type)
            if problem:
                yield f"jde.approved_next_status.{order_type}", problem
