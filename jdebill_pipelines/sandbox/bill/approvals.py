"""Bill approvals: policies, and who approved or denied what.

Belongs here: the rules of `/v3/bill-approvals`. Not here: paying what was approved.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from jdebill_pipelines.sandbox.bill.bill_events import touched
from jdebill_pipelines.sandbox.bill.clock import stamp
from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import Refusal, business
from jdebill_pipelines.sandbox.bill.records import Record
from jdebill_pipelines.sandbox.bill.routing import Answer, Call
from jdebill_pipelines.sandbox.bill.schema import arr, checked, obj, text

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

OPEN_STATES = frozenset({"ASSIGNED", "APPROVING"})
POLICY = obj(
    {
        "policyName": text(required=True),
        "rules": arr(
            obj({"key": text(required=True), "op": text(required=True), "values": arr(text(), required=True)}),
            required=True,
        ),
        "approvers": arr(text(), required=True, low=1),
    }
)
ACTIONS = arr(
    obj({"billId": text(required=True), "action": text(required=True, one_of="APPROVE DENY"), "comment": text()}), low=1
)


def assign(world: Organization, bill: Record) -> None:
    """Give a new bill its approvers: those of the first policy that fits, or one where every bill needs one."""
    users: list[str] = []
    for policy in world.policies:
        if all(_fits(rule, bill.body) for rule in policy.body["rules"]):
            users = [user["userId"] for user in policy.body["approvers"]["users"]]
            break
    else:
        if world.switches.approval_required:
            users = [world.sessions.user_id("approver")]
    if users:
        at = stamp(world.clock.now())
        bill.body["approvalStatus"] = "ASSIGNED"
        bill.hidden["approvers"] = [
            {"userId": user, "status": "WAITING", "approverOrder": order, "statusChangedTime": at}
            for order, user in enumerate(users)
        ]
        _show(bill)


def act(world: Organization, bill: Record, action: str, *, everyone: bool = False) -> None:
    """Approve or deny a bill as its next approver (or as all of them)."""
    approvers: list[Json] = bill.hidden.get("approvers", [])
    for approver in approvers:
        if approver["status"] == "WAITING":
            approver["status"] = "APPROVED" if action == "APPROVE" else "DENIED"
            approver["statusChangedTime"] = stamp(world.clock.now())
            if not everyone:
                break
    if action == "DENY":
        bill.body["approvalStatus"] = "DENIED"
    else:
        waiting = any(approver["status"] == "WAITING" for approver in approvers)
        bill.body["approvalStatus"] = "APPROVING" if waiting else "APPROVED"
    _show(bill)
    world.bills.changed(bill, world.clock.now() if "approval" in world.switches.bumps_updated_time else None)


def check_payable(bill: Record) -> Refusal | None:
    """Why a bill cannot be paid as far as approvals go: a pending or denied one must not be."""
    state = bill.body["approvalStatus"]
    if state in OPEN_STATES or state == "DENIED":
        return business("BDC_1119", f"Bill {bill.id} cannot be paid: approval status is {state}.")
    return None


def get_policies(call: Call) -> Answer:
    """`GET /v3/bill-approvals/policies`: a bare array."""
    return Answer([policy.body for policy in call.organization.policies])


def post_policy(call: Call) -> Answer:
    """`POST /v3/bill-approvals/policies`."""
    world = call.organization
    policy_id = f"{world.switches.organization_id}-{world.ids.token(12)}"
    record = Record({"id": policy_id, **_policy(call)}, world.clock.now())
    world.policies.add(record)
    return Answer(record.body, 201)


def put_policy(call: Call) -> Answer:
    """`PUT /v3/bill-approvals/policies/{id}`."""
    world = call.organization
    record = world.policies.get(call.ids["id"])
    record.body.update(_policy(call))
    world.policies.changed(record, world.clock.now())
    return Answer(record.body)


def delete_policy(call: Call) -> Answer:
    """`DELETE /v3/bill-approvals/policies/{id}`."""
    world = call.organization
    del world.policies.records[world.policies.get(call.ids["id"]).id]
    return Answer({"status": "SUCCESS"})


def post_actions(call: Call) -> Answer:
    """`POST /v3/bill-approvals/actions`: an array; one object is taken too, as a guide of BILL shows it."""
    world = call.organization
    body = call.json()
    given = checked([body] if isinstance(body, dict) else body, ACTIONS, strict=world.switches.strict_members)
    pairs = [(world.bills.get(item["billId"]), item["action"]) for item in given]
    for bill, _ in pairs:
        if bill.body["approvalStatus"] not in OPEN_STATES:
            raise business("BDC_1119", f"Bill {bill.id} is not waiting for an approval.")
    for bill, action in pairs:
        act(world, bill, action)
        touched(world, bill, "approval")
    return Answer({"status": "SUCCESS"})


def get_pending(call: Call) -> Answer:
    """`GET /v3/bill-approvals/pending-user-approvals`."""
    bills = [
        {"billId": b.id, "vendorId": b.body["vendorId"], "amount": b.body["amount"], "dueDate": b.body["dueDate"]}
        for b in call.organization.bills
        if b.body["approvalStatus"] in OPEN_STATES and not b.archived
    ]
    return Answer({"bills": bills})


def _policy(call: Call) -> Json:
    given = checked(call.json(), POLICY, strict=call.organization.switches.strict_members)
    rules = [{**r, "values": [{"value": v, "displayName": v} for v in r["values"]]} for r in given["rules"]]
    users = [{"userId": user, "fullName": f"User {user[-4:]}"} for user in given["approvers"]]
    return {
        "policyName": given["policyName"],
        "status": "ACTIVE",
        "rules": rules,
        "approvers": {"users": users, "groups": []},
    }


def _fits(rule: Json, body: Json) -> bool:
    values = [item["value"] for item in rule["values"]]
    if rule["key"] == "BILL_AMOUNT":
        try:
            limit = Decimal(values[0])
        except (InvalidOperation, IndexError):
            return False
        amount: Decimal = body["amount"]
        return {"gte": amount >= limit, "gt": amount > limit, "lt": amount < limit, "lte": amount <= limit}.get(
            rule["op"], False
        )
    if rule["key"] == "VENDOR_ID":
        return (body["vendorId"] in values) == (rule["op"] not in {"ne", "nin"})
    member = {"CHART_OF_ACCOUNT_ID": "chartOfAccountId", "LOCATION_ID": "locationId", "JOB_ID": "jobId"}.get(
        rule["key"]
    )
    lines = [line.get("classifications", {}) for line in body["billLineItems"]]
    return member is not None and any(line.get(member) in values for line in lines)


def _show(bill: Record) -> None:
    if bill.hidden.get("approvals_asked"):
        bill.body["approvers"] = bill.hidden["approvers"]
