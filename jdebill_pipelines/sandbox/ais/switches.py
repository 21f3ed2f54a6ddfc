"""The switches of the AIS simulator: everything that Oracle leaves open, and the limits tests must be able to move.

Belongs here: names, defaults and allowed values. Not here: what a switch does.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

DEFAULT_USER = "JDEBILL"
DEFAULT_PASSWORD = "sandbox-password"  # noqa: S105 - the sandbox's published login
CAPABILITIES = (
    "grid", "editable", "log", "processingOption", "query", "aliasNaming", "dataservice", "dataServiceAggregation",
    "dataServiceOrderBy", "outputType", "validate", "version2services", "nextPage", "simpleGetServices",
)  # fmt: skip

ONE_OF: dict[str, tuple[Any, ...]] = {
    "dataservice_invalid_token": (444, 403),
    "simple_date_format": ("MM/dd/yyyy", "dd/MM/yyyy", "yyyy/MM/dd", "dd.MM.yyyy", "MM/dd/yy", "dd/MM/yy"),
    "decimal_format": (".", ","),
    "date_literal": ("user", "yyyymmdd", "iso", "any"),
    "wrong_date_literal": ("error", "no_rows"),
    "number_literal": ("point", "user", "any"),
    "mcu_literal": ("edited", "padded"),
    "unordered": ("insertion", "shuffled"),
    "blank_dates": ("null", "empty", "missing"),
    "blank_strings": ("empty", "space", "missing"),
    "duplicate_invoice": ("error", "warning", "off"),
    "held_supplier": ("refuse", "allow"),
    "prior_period": ("error", "warning"),
    "unknown_inputs": ("refuse", "ignore"),
    "orchestration_group": ("Shared", "Personal", "Reserved", "Pending Approval"),
    "orchestration_version": (2, 3),
    "payment_sign": ("positive", "negative"),
    "orchestration_dates": ("iso", "user", "yyyymmdd"),
}


@dataclass
class Switches:
    """Current settings. Times are seconds."""

    # who may log in
    users: dict[str, str] = field(default_factory=lambda: {DEFAULT_USER: DEFAULT_PASSWORD})
    locked_users: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=lambda: ["JDV920", "JPY920", "JPD920"])  # the first is the default
    roles: list[str] = field(default_factory=lambda: ["*ALL", "APINT"])
    allowed_hosts: bool = True  # off: the HTML server refuses this AIS Server, 405
    allow_user_password: bool = True
    allow_basic: bool = True
    # sessions
    idle_seconds: int = 1800
    life_seconds: int = 43200
    device_binding: bool = True
    session_cookie: bool = True
    dataservice_invalid_token: int = 444
    content_type_charset: bool = False  # whether "application/json; charset=utf-8" is accepted
    # the server and the user's profile
    tools_release: str = "9.2.8.3"
    capabilities: list[str] = field(default_factory=lambda: list(CAPABILITIES))
    simple_date_format: str = "MM/dd/yyyy"
    decimal_format: str = "."
    utc_offset_minutes: int = 0  # of the JDE server's local time, which UPMJ and UPMT are in
    link_host: str = "http://ais01.example.test:9300"
    gzip: bool = False  # compress answers for callers that accept it
    latency_ms: int = 0
    # the data service: conditions
    date_literal: str = "user"
    wrong_date_literal: str = "error"
    number_literal: str = "point"
    mcu_literal: str = "edited"
    max_list_values: int | None = None
    # the data service: rows
    default_rows: int = 100
    max_page_cap: int | None = None
    cursor_seconds: int = 300
    next_page: bool = True
    order_by: bool = True  # off: an older release that ignores orderBy
    unordered: str = "insertion"
    blank_dates: str = "null"
    blank_strings: str = "empty"
    padded_strings: bool = False
    padded_mcu: bool = False
    numbers_as_text: bool = False
    payment_sign: str = "positive"  # of amounts in F0413 and F0414 as they are shown
    denied_tables: list[str] = field(default_factory=list)  # no Data Browser permission: 403
    row_security: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # table, item, values that are hidden
    column_security: dict[str, list[str]] = field(default_factory=dict)  # table, items that are left out
    # orchestrations
    missing_orchestrations: list[str] = field(default_factory=list)
    unknown_orchestration_status: int = 404
    expose_inputs: bool = True
    orchestration_group: str = "Shared"
    orchestration_version: int = 3  # 2: outputs are text
    unknown_inputs: str = "refuse"
    old_tools: bool = False  # before 9.2.5.4: no jde__ members
    orchestration_dates: str = "iso"  # what date inputs must look like
    auto_post: bool = True
    duplicate_invoice: str = "warning"
    held_supplier: str = "refuse"  # a voucher of a supplier on hold (F0401.HDPY)
    prior_period: str = "error"  # PBCO: in the current year, before the current period
    management_approval: bool = False  # new batches wait for approval
    voucher_pay_status: str = "A"

    def change(self, values: dict[str, Any]) -> None:
        """Set switches by name, all or none.

        Raises:
            ValueError: no such switch, or a value it cannot have; the text says which.
        """
        fields = {item.name for item in dataclasses.fields(self)}
        for name, value in values.items():
            if name not in fields:
                raise ValueError(f"no switch {name!r}; there are: {', '.join(sorted(fields))}")
            _check(name, value, getattr(DEFAULTS, name))
        for name, value in values.items():
            setattr(self, name, value)

    def restore(self) -> None:
        """Set every switch to its default."""
        fresh = Switches()
        for item in dataclasses.fields(self):
            setattr(self, item.name, getattr(fresh, item.name))

    def values(self) -> dict[str, Any]:
        """All switches, without the passwords."""
        found = dataclasses.asdict(self)
        found["users"] = sorted(self.users)
        return found


def _check(name: str, value: Any, default: Any) -> None:
    allowed = ONE_OF.get(name)
    if allowed and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, not {value!r}")
    if isinstance(default, bool):
        fits = isinstance(value, bool)
    elif default is None:
        fits = value is None or (isinstance(value, int) and not isinstance(value, bool))
    elif isinstance(default, int):
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, type(default))
    if not fits:
        raise ValueError(f"{name} must be a {type(default).__name__}, not {value!r}")


DEFAULTS = Switches()
