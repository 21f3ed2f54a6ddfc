"""What a BILL client is given: where the API is, who logs in, how long it may take.

Belongs here: the client's own parameters. Does not belong here: connection files or the vault, which fill them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jdebill_pipelines.bill.ports import HOUR, HOURLY_BUDGET, MAX_IN_FLIGHT

SANDBOX_API = "https://gateway.stage.bill.com/connect"
SANDBOX_EVENTS = "https://gateway.stage.bill.com/connect-events"


@dataclass(frozen=True, slots=True)
class BillApiConfig:
    """Where the API is and how it is called.

    Attributes:
        api_url: base URL of the API without ``/v3``, such as ``https://gateway.prod.bill.com/connect``.
        events_url: base URL of the webhook management, same host, ``.../connect-events``.
        organization_id: begins with ``008``.
        max_in_flight: most calls at once, 1 to 3; also how many lanes a parallel list uses.
        hourly_budget: requests per clock hour and developer key.
        connect_timeout: seconds.
        read_timeout: seconds.
        max_wait: most seconds that one call waits for BILL's limits (concurrency, hour) before it gives up with
            ``RateLimited``. The default outlasts the clock hour.
        read_attempts: how often a read, or a write that may be repeated, is tried when the other side fails.
    """

    api_url: str
    events_url: str
    organization_id: str
    max_in_flight: int = MAX_IN_FLIGHT
    hourly_budget: int = HOURLY_BUDGET
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    max_wait: float = HOUR + 60.0
    read_attempts: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.max_in_flight <= MAX_IN_FLIGHT:
            raise ValueError(f"max_in_flight must be 1 to {MAX_IN_FLIGHT}, not {self.max_in_flight}")
        if self.read_attempts < 1:
            raise ValueError("read_attempts must be at least 1")


@dataclass(frozen=True, slots=True)
class BillCredentials:
    """Who logs in. For a sync token its name is the user name and its value the password; it cannot pay, only sync.

    Attributes:
        username: e-mail of the BILL user, or the token's name.
        password: the password, or the token's value.
        dev_key: the developer key; in the body at login, in a header afterwards.
    """

    username: str
    password: str = field(repr=False)
    dev_key: str = field(repr=False)
