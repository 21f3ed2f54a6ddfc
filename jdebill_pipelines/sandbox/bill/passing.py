"""What happens to payments when the simulator's clock moves on.

Belongs here: the timetable of the happy path. Not here: moving the clock.
"""

from __future__ import annotations

import datetime as dt

from jdebill_pipelines.sandbox.bill.clock import add_business_days
from jdebill_pipelines.sandbox.bill.organization import Organization
from jdebill_pipelines.sandbox.bill.payment_moves import move
from jdebill_pipelines.sandbox.bill.payment_states import HAPPY_PATH

# business days after the process date on which each state is reached
TIMETABLE = (("FUNDING_STARTED", 0), ("PROCESSED", 1), ("SENT", 2), ("CLEARED", 5))


def catch_up(world: Organization) -> int:
    """Bring every payment of the happy path to where it should be by now; answers how many moved.

    Only with the switch `auto_advance`; payments that left the happy path stay where they are.
    """
    if not world.switches.auto_advance:
        return 0
    today, moved = world.clock.today(), 0
    for payment in list(world.payments):
        now = payment.body["singleStatus"]
        if now not in HAPPY_PATH[:-1] or not payment.body["onlinePayment"]:
            continue
        day = dt.date.fromisoformat(payment.body["processDate"])
        due = [state for state, after in TIMETABLE if add_business_days(day, after) <= today]
        if due and HAPPY_PATH.index(due[-1]) > HAPPY_PATH.index(now):
            move(world, payment, due[-1])
            moved += 1
    return moved
