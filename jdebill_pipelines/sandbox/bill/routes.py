"""The table of the simulator's API: every path under `/connect` and `/connect-events`.

Belongs here: which handler answers which path, and who may call it. Not here: the handlers.
"""

from __future__ import annotations

from jdebill_pipelines.sandbox.bill import (
    approvals,
    banks,
    bills,
    classifications,
    credits,
    payments,
    subscriptions,
    vendors,
)
from jdebill_pipelines.sandbox.bill.routing import Answer, Call, Handler, Route, Router

CONNECT, EVENTS = "/connect/v3", "/connect-events/v3"


def build_router() -> Router:
    """All routes."""
    router = Router()
    for method, path, handler in (
        ("POST", "/login", login),
        ("GET", "/health", health),
    ):
        router.add(Route(method, CONNECT + path, handler, open=True))
    for method, path, handler in (
        ("GET", "/login/session", session_info),
        ("POST", "/logout", logout),
        ("GET", "/mfa/phones", phones),
        ("POST", "/mfa/challenge", challenge),
        ("POST", "/mfa/challenge/validate", validate),
        ("POST", "/mfa/step-up", step_up),
    ):
        router.add(Route(method, CONNECT + path, handler))
    _add(router, "vendors", VENDORS)
    _add(router, "bills", BILLS)
    _add(router, "vendor-credits", CREDITS)
    _add(router, "bill-approvals", APPROVALS)
    _add(router, "payments", PAYMENTS)
    _add(router, "funding-accounts/banks", BANKS, permission="funding-accounts")
    for path, handler in (
        ("payments", payments.post_payment),
        ("payments/bulk", payments.post_payments),
        ("funding-accounts/banks", banks.post_bank),
    ):
        resource = path.split("/")[0]
        router.add(Route("POST", f"{CONNECT}/{path}", handler, trusted=True, permission=f"{resource}:write"))
    for (method, path), hook in WEBHOOKS.items():
        router.add(Route(method, EVENTS + path, hook))
    router.add(Route("GET", f"{EVENTS}/health", health, open=True))
    for kind in classifications.KINDS:
        _add(router, f"classifications/{kind.path}", classifications.handlers(kind), permission="classifications")
    return router


def _add(router: Router, under: str, calls: dict[tuple[str, str], Handler], permission: str = "") -> None:
    for (method, path), handler in calls.items():
        access = "read" if method == "GET" else "write"
        router.add(Route(method, f"{CONNECT}/{under}{path}", handler, permission=f"{permission or under}:{access}"))


VENDORS: dict[tuple[str, str], Handler] = {
    ("GET", ""): vendors.list_vendors,
    ("POST", ""): vendors.post_vendor,
    ("POST", "/bulk"): vendors.post_vendors,
    ("GET", "/{id}"): vendors.get_vendor,
    ("PATCH", "/{id}"): vendors.patch_vendor,
    ("POST", "/{id}/archive"): vendors.archive_vendor,
    ("POST", "/{id}/restore"): vendors.restore_vendor,
    ("GET", "/{id}/bank-account"): vendors.get_bank_account,
    ("POST", "/{id}/bank-account"): vendors.post_bank_account,
    ("DELETE", "/{id}/bank-account"): vendors.delete_bank_account,
}
BILLS: dict[tuple[str, str], Handler] = {
    ("GET", ""): bills.list_bills,
    ("POST", ""): bills.post_bill,
    ("POST", "/bulk"): bills.post_bills,
    ("POST", "/record-payment"): payments.record_payment,
    ("GET", "/{id}"): bills.get_bill,
    ("PUT", "/{id}"): bills.put_bill,
    ("PATCH", "/{id}"): bills.patch_bill,
    ("POST", "/{id}/archive"): bills.archive_bill,
    ("POST", "/{id}/restore"): bills.restore_bill,
}
CREDITS: dict[tuple[str, str], Handler] = {
    ("GET", ""): credits.list_credits,
    ("POST", ""): credits.post_credit,
    ("POST", "/bulk"): credits.post_credits,
    ("PUT", "/bulk"): credits.put_credits,
    ("PATCH", "/bulk"): credits.patch_credits,
    ("POST", "/bulk/archive"): credits.archive_credits,
    ("GET", "/{id}"): credits.get_credit,
    ("PUT", "/{id}"): credits.put_credit,
    ("PATCH", "/{id}"): credits.patch_credit,
    ("POST", "/{id}/archive"): credits.archive_credit,
}
PAYMENTS: dict[tuple[str, str], Handler] = {
    ("GET", ""): payments.list_payments,
    ("GET", "/options"): payments.payment_options,
    ("GET", "/exchange-rate"): payments.exchange_rate,
    ("GET", "/{id}"): payments.get_payment,
    ("POST", "/{id}/cancel"): payments.cancel_payment,
    ("POST", "/{id}/void"): payments.void_payment,
    ("GET", "/{id}/check-image"): payments.check_image,
}
BANKS: dict[tuple[str, str], Handler] = {
    ("GET", ""): banks.list_banks,
    ("GET", "/{id}"): banks.get_bank,
    ("POST", "/{id}/archive"): banks.archive_bank,
    ("POST", "/{id}/verify"): banks.verify_bank,
}
WEBHOOKS: dict[tuple[str, str], Handler] = {
    ("GET", "/events/catalog"): subscriptions.catalog,
    ("GET", "/events/subscription/{id}"): subscriptions.history,
    ("POST", "/events/subscription/{id}/event/{event}"): subscriptions.resend,
    ("GET", "/subscriptions"): subscriptions.list_subscriptions,
    ("POST", "/subscriptions"): subscriptions.post_subscription,
    ("GET", "/subscriptions/{id}"): subscriptions.get_subscription,
    ("PUT", "/subscriptions/{id}"): subscriptions.put_subscription,
    ("PATCH", "/subscriptions/{id}"): subscriptions.patch_subscription,
    ("DELETE", "/subscriptions/{id}"): subscriptions.delete_subscription,
    ("POST", "/subscriptions/{id}/security_key"): subscriptions.new_key,
    ("POST", "/subscriptions/{id}/test"): subscriptions.send_test,
}
APPROVALS: dict[tuple[str, str], Handler] = {
    ("GET", "/policies"): approvals.get_policies,
    ("POST", "/policies"): approvals.post_policy,
    ("PUT", "/policies/{id}"): approvals.put_policy,
    ("DELETE", "/policies/{id}"): approvals.delete_policy,
    ("POST", "/actions"): approvals.post_actions,
    ("GET", "/pending-user-approvals"): approvals.get_pending,
}


def login(call: Call) -> Answer:
    """`POST /v3/login`; the developer key is in the body."""
    return Answer(call.organization.sessions.login(call.json()))


def health(_call: Call) -> Answer:
    """`GET /v3/health`: no authentication."""
    return Answer({"appId": "connect", "appEnv": "sandbox", "appVersion": "3.0.0", "bdcRegion": "local"})


def session_info(call: Call) -> Answer:
    """`GET /v3/login/session`."""
    assert call.session is not None
    return Answer(call.organization.sessions.info(call.session))


def logout(call: Call) -> Answer:
    """`POST /v3/logout`: an empty body."""
    assert call.session is not None
    call.organization.sessions.logout(call.session)
    return Answer()


def phones(_call: Call) -> Answer:
    """`GET /v3/mfa/phones`."""
    return Answer({"results": [{"type": "MOBILE", "last4digits": "0142", "primary": True}]})


def challenge(call: Call) -> Answer:
    """`POST /v3/mfa/challenge`."""
    assert call.session is not None
    return Answer(call.organization.sessions.challenge(call.session, call.json()))


def validate(call: Call) -> Answer:
    """`POST /v3/mfa/challenge/validate`."""
    assert call.session is not None
    return Answer(call.organization.sessions.validate(call.session, call.json()))


def step_up(call: Call) -> Answer:
    """`POST /v3/mfa/step-up`."""
    assert call.session is not None
    return Answer(call.organization.sessions.step_up(call.session, call.json()))
