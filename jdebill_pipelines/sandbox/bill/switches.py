"""The switches of the BILL simulator: everything that BILL leaves open, and the limits tests must be able to move.

Belongs here: names, defaults and allowed values. Not here: what a switch does.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

DEFAULT_USER = "sync@example.com"
DEFAULT_PASSWORD = "sandbox-password"  # noqa: S105 - the sandbox's published login
DEFAULT_DEV_KEY = "sandbox-dev-key"
DEFAULT_ORGANIZATION = "00801SANDBOXORG00001"


ONE_OF: dict[str, tuple[str, ...]] = {
    "expired_session_code": ("BDC_1109", "BDC_1361"),
    "error_shape": ("array", "object", "wrapped"),
    "offline_single_status": ("CLEARED", "PROCESSED", "UNDEFINED"),
    "default_order": ("id", "created", "created_desc", "updated", "shuffled"),
    "paging_query": ("repeat", "carried"),
    "page_stability": ("live", "snapshot"),
    "classification_filters": ("likely", "id_only"),
    "bulk_errors": ("rollback", "plain", "indexed"),
    "duplicate_bill_number": ("off", "per_vendor", "per_org"),
    "negative_bill_total": ("refuse", "accept"),
    "zero_bill_total": ("refuse", "accept"),
    "archived_reference": ("refuse", "accept"),
    "edit_paid_bill": ("allow", "refuse"),
    "archive_paid_bill": ("refuse", "allow"),
    "canceled_spelling": ("CANCELLED", "CANCELED"),
}
SOME_OF: dict[str, tuple[str, ...]] = {
    "bumps_updated_time": ("archive", "approval", "payment", "credit"),
    "bill_updated_on": (
        "vendorId",
        "amount",
        "invoice.invoiceNumber",
        "invoice.invoiceDate",
        "any",
        "payment",
        "approval",
    ),
    "vendor_updated_on": ("name", "address", "email", "phone", "accountNumber", "paymentInformation", "any", "bank"),
}


@dataclass
class Switches:
    """Current settings. Times are seconds, percentages whole numbers from 0 to 100."""

    # who may log in
    organization_id: str = DEFAULT_ORGANIZATION
    users: dict[str, str] = field(default_factory=lambda: {DEFAULT_USER: DEFAULT_PASSWORD})
    dev_keys: list[str] = field(default_factory=lambda: [DEFAULT_DEV_KEY])
    inactive_dev_keys: list[str] = field(default_factory=list)
    locked_users: list[str] = field(default_factory=list)
    organization_locked: bool = False
    sync_token_users: list[str] = field(default_factory=list)  # can never become trusted
    mfa_disabled: bool = False
    denied: list[str] = field(default_factory=list)  # e.g. "bills:write": answered with BDC_1145
    # sessions and limits
    session_ttl_seconds: int = 2100
    max_in_flight: int = 3
    hourly_quota: int = 20000
    login_quota: int = 200
    expired_session_code: str = "BDC_1109"
    error_shape: str = "array"
    rate_limit_status: int = 429
    retry_after: int | None = None  # seconds in a Retry-After header; none by default, as nothing is documented
    latency_ms: int = 0  # spent while the call counts as in flight
    # lists
    default_order: str = "id"
    paging_query: str = "repeat"
    page_stability: str = "live"
    page_cap: int = 100
    default_max: int = 20
    thin_rows: bool = False
    invoice_number_filter: bool = True
    classification_filters: str = "likely"
    payment_filters: bool = True
    # payload habits
    strict_members: bool = False
    amounts_as_text: bool = False
    tax_id_masked: bool = False
    vendor_shows_bank_account: bool = True  # else only its own call does
    bill_payments_member: bool = True
    bulk_order_shuffled: bool = False
    bulk_errors: str = "rollback"
    # rules that are open
    duplicate_bill_number: str = "off"
    duplicate_vendor_name: bool = True
    duplicate_classification_name: bool = True
    duplicate_account_number: bool = True
    negative_bill_total: str = "refuse"
    zero_bill_total: str = "refuse"
    archived_reference: str = "refuse"
    edit_paid_bill: str = "allow"
    archive_paid_bill: str = "refuse"
    max_bill_lines: int | None = None
    backend_limits: dict[str, int] = field(default_factory=lambda: {"invoice.invoiceNumber": 21})
    bumps_updated_time: list[str] = field(default_factory=lambda: ["archive"])
    approval_required: bool = False
    transaction_number_reuse: bool = True
    vendor_bank_verification: bool = False
    exchange_rates: dict[str, Decimal] = field(default_factory=dict)  # USD for one unit; 1 where absent
    auto_advance: bool = False
    canceled_spelling: str = "CANCELLED"
    # webhooks
    webhook_http_loopback: bool = True
    webhook_delay_seconds: Decimal = Decimal(0)
    webhook_timeout_seconds: Decimal = Decimal(10)
    webhook_retry_seconds: list[Decimal] = field(default_factory=lambda: [Decimal("0.2"), Decimal(1), Decimal(3)])
    webhook_disable_after: int = 1
    webhook_parallel: int = 4
    webhook_duplicate_percent: int = 0
    webhook_drop_percent: int = 0
    webhook_silent_percent: int = 0
    webhook_reorder: bool = False
    webhook_double_encoded: bool = False
    webhook_old_key_seconds: int = 0
    bill_updated_on: list[str] = field(
        default_factory=lambda: ["vendorId", "amount", "invoice.invoiceNumber", "invoice.invoiceDate"]
    )
    vendor_updated_on: list[str] = field(
        default_factory=lambda: ["name", "address", "email", "phone", "accountNumber", "paymentInformation"]
    )
    record_payment_event: bool = True
    offline_single_status: str = "CLEARED"

    def change(self, values: dict[str, Any]) -> None:
        """Set switches by name, all or none.

        Raises:
            ValueError: no such switch, or a value it cannot have; the text says which.
        """
        fields = {item.name: item for item in dataclasses.fields(self)}
        checked: dict[str, Any] = {}
        for name, value in values.items():
            if name not in fields:
                raise ValueError(f"no switch {name!r}; there are: {', '.join(sorted(fields))}")
            checked[name] = _checked(name, value, getattr(DEFAULTS, name))
        for name, value in checked.items():
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


def _checked(name: str, value: Any, default: Any) -> Any:
    allowed = ONE_OF.get(name)
    if allowed and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
    some = SOME_OF.get(name)
    if some and not (isinstance(value, list) and set(value) <= set(some)):
        raise ValueError(f"{name} must be a list of {', '.join(some)}, not {value!r}")
    if isinstance(default, bool):
        fits = isinstance(value, bool)
    elif isinstance(default, Decimal):
        fits = isinstance(value, int | Decimal) and not isinstance(value, bool)
        value = Decimal(value) if fits else value
    elif default is None:
        fits = value is None or (isinstance(value, int) and not isinstance(value, bool))
    elif isinstance(default, int):
        fits = isinstance(value, int) and not isinstance(value, bool)
    else:
        fits = isinstance(value, type(default))
    if not fits:
        raise ValueError(f"{name} must be a {type(default).__name__}, not {value!r}")
    if name in {"exchange_rates"}:
        value = {key: Decimal(item) for key, item in value.items()}
    if name == "webhook_retry_seconds":
        value = [Decimal(item) for item in value]
    return value


DEFAULTS = Switches()
