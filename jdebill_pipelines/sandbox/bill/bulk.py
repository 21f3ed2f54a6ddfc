"""What the bulk calls share: their limit, all or nothing, and how a refusal names the elements.

Belongs here: the form of bulk requests and answers. Not here: what an element must be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jdebill_pipelines.sandbox.bill.codec import Json
from jdebill_pipelines.sandbox.bill.errors import Element, Refusal, invalid, too_long
from jdebill_pipelines.sandbox.bill.schema import Rule, check

if TYPE_CHECKING:
    from jdebill_pipelines.sandbox.bill.organization import Organization

ROLLED_BACK = Element("BDC_1246", "Rolled back because another element of the bulk request failed.", "APPLICATION")


def all_or_nothing(
    world: Organization,
    given: Any,
    rule: Rule,
    limit: int,
    refuse: Callable[[Json], Refusal | None] = lambda _: None,
) -> list[Json]:
    """The checked elements of a bulk request.

    Args:
        world: the organization; its switch `bulk_errors` says how a refusal names the elements.
        given: the decoded body, which must be a bare array.
        rule: the form of one element.
        limit: how many elements are allowed.
        refuse: a further rule for one element that has the right form.

    Raises:
        Refusal: something is wrong with the request or with one element; nothing was done.
    """
    if not isinstance(given, list):
        raise invalid(["body: Cannot construct instance of array"])
    if not 1 <= len(given) <= limit:
        raise invalid([f"body: size must be between 1 and {limit}"])
    cleaned: list[Json] = []
    failed: dict[int, Refusal] = {}
    for index, element in enumerate(given):
        body, problems = check(element, rule, strict=world.switches.strict_members)
        problem = invalid(problems) if problems else refuse(body)
        if problem:
            failed[index] = problem
        cleaned.append(body)
    raise_failed(world, failed, len(given))
    return cleaned


def raise_failed(world: Organization, failed: dict[int, Refusal], count: int) -> None:
    """Refuse the whole request when some of its elements failed.

    Raises:
        Refusal: with the status of the first failure; the siblings are named as the switch `bulk_errors` says.
    """
    if not failed:
        return
    mode = world.switches.bulk_errors
    elements: list[Element] = []
    for index, problem in failed.items():
        for element in problem.elements:
            message = f"[{index}].{element.message}" if mode == "indexed" else element.message
            elements.append(Element(element.code, message, element.category))
    if mode == "rollback":
        elements += [ROLLED_BACK] * (count - len(failed))
    raise Refusal(next(iter(failed.values())).status, elements)


def arranged(world: Organization, bodies: list[Json]) -> list[Json]:
    """The answers of a bulk call, in the order of the request unless the switch shuffles them."""
    if world.switches.bulk_order_shuffled and len(bodies) > 1:
        before = list(bodies)
        while bodies == before:
            world.random.shuffle(bodies)
    return bodies


def check_backend_limits(world: Organization, body: Json) -> None:
    """Refuse text that is longer than BILL's older back end takes; the schema does not know these limits.

    Raises:
        Refusal: 400 `BDC_1143`.
    """
    for path, limit in world.switches.backend_limits.items():
        value: Any = body
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and len(value) > limit:
            raise too_long(path.rsplit(".", 1)[-1], limit)
