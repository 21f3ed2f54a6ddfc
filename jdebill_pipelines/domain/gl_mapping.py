"""JDE account and business unit as BILL account and department, with the state of each side.

Belongs here: the mapping. Does not belong here: whether a line may use it (``schemas.gate``).

A template says how a BILL account number, a department and the name of an account that is created are made of a JDE
account; an override file answers for what no template can say. Template words: ``{company}``, ``{business_unit}``,
``{object}``, ``{subsidiary}``, ``{account}`` (short id, AID), ``{third}`` (third account number, ANS) and, for names,
``{description}``. Separators at the ends that an empty word leaves are dropped: ``{object}.{subsidiary}`` of an account
without subsidiary is its object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from string import Formatter
from typing import Any

import msgspec

from jdebill_pipelines.domain.rows import Row, text

WORDS = ("company", "business_unit", "object", "subsidiary", "account", "third", "description", "unit_description")
_SEPARATORS = " .-_/:"


class TemplateError(ValueError):
    """A template with a word that does not exist."""


class OverrideError(ValueError):
    """A line of the override file that cannot be used; the text names line and column."""


class Side(StrEnum):
    """What a BILL classification is."""

    OK = "ok"
    MISSING = "missing"
    ARCHIVED = "archived"
    AMBIGUOUS = "ambiguous"  # several that are not archived have the number or the name
    UNUSED = "unused"  # the connection writes no department


class Override(msgspec.Struct, frozen=True):
    """One line of the override file; '*' in a key fits everything, '' in an answer leaves it to the template."""

    business_unit: str
    object: str
    subsidiary: str
    account_number: str
    department: str

    @property
    def weight(self) -> int:
        """How exactly the key is given; the most exact line wins."""
        return sum(part != "*" for part in (self.business_unit, self.object, self.subsidiary))

    def fits(self, business_unit: str, object_: str, subsidiary: str) -> bool:
        """Tell whether the line speaks of an account."""
        pairs = ((self.business_unit, business_unit), (self.object, object_), (self.subsidiary, subsidiary))
        return all(key in ("*", value) for key, value in pairs)


class GlRules(msgspec.Struct, frozen=True):
    """How the connection names accounts and departments in BILL."""

    account_number: str = "{object}"
    department: str = "{business_unit}"
    account_name: str = "{object} {description}"
    department_name: str = "{business_unit} {unit_description}"
    create_accounts: bool = False
    create_departments: bool = False

    def __post_init__(self) -> None:
        for template in (self.account_number, self.department, self.account_name, self.department_name):
            check_template(template)


class JdeUnit(msgspec.Struct, frozen=True):
    """A business unit (F0006)."""

    code: str
    company: str
    description: str
    posting_code: str


class GlEntry(msgspec.Struct, frozen=True):
    """One JDE account and what it is in BILL.

    Attributes:
        posting_code: F0901.PEC, '' posts.
        currency: F0901.CRCD, '' unless the account takes one currency only.
        account_number, department: what the account is called in BILL; department '' means none.
        bill_account_id, bill_department_id: BILL's ids, '' unless the state is OK.
    """

    aid: str
    company: str
    business_unit: str
    object: str
    subsidiary: str
    description: str
    posting_code: str
    currency: str
    account_number: str
    department: str
    account_name: str
    department_name: str
    bill_account_id: str
    bill_account_state: Side
    bill_department_id: str
    bill_department_state: Side

    @property
    def code(self) -> str:
        """The account as people write it: ``1200.B1502`` or ``1200.B1502.01``."""
        return ".".join(part for part in (self.business_unit, self.object, self.subsidiary) if part)


class MissingAccount(msgspec.Struct, frozen=True):
    """An account to create in BILL; ``number`` is its natural key."""

    number: str
    name: str
    content: dict[str, Any]


class MissingDepartment(msgspec.Struct, frozen=True):
    """A department to create in BILL; ``value`` is its natural key."""

    value: str
    name: str
    content: dict[str, Any]


class GlMap(msgspec.Struct, frozen=True):
    """All JDE accounts with their BILL side."""

    rules: GlRules
    entries: dict[str, GlEntry]
    units: dict[str, JdeUnit]
    by_code: dict[tuple[str, str, str], str]

    def entry(self, aid: str) -> GlEntry | None:
        """Return the account with a short id, or None when F0901 does not have it."""
        return self.entries.get(aid)

    def find(self, business_unit: str, object_: str, subsidiary: str) -> GlEntry | None:
        """Return the account with a business unit, object and subsidiary, or None."""
        aid = self.by_code.get((business_unit, object_, subsidiary))
        return self.entries[aid] if aid is not None else None

    def resolve(self, aid: str, business_unit: str, object_: str, subsidiary: str) -> GlEntry | None:
        """Return the account by short id, or by its parts where the document holds no short id."""
        return self.entry(aid) if aid else self.find(business_unit, object_, subsidiary)

    def missing_accounts(self, aids: Iterable[str] | None = None) -> list[MissingAccount]:
        """Return the BILL accounts to create for these JDE accounts (all posting ones by default), each once.

        Empty unless the connection allows it. The name comes from the first JDE account in the order of its code.
        """
        if not self.rules.create_accounts:
            return []
        found: dict[str, MissingAccount] = {}
        for entry in self._chosen(aids):
            if entry.bill_account_state is Side.MISSING and entry.account_number not in found:
                account = {"type": "EXPENSE", "number": entry.account_number}
                content = {"name": entry.account_name, "account": account}
                found[entry.account_number] = MissingAccount(entry.account_number, entry.account_name, content)
        return list(found.values())

    def missing_departments(self, aids: Iterable[str] | None = None) -> list[MissingDepartment]:
        """Return the BILL departments to create for these JDE accounts, each once. Empty unless allowed."""
        if not self.rules.create_departments:
            return []
        found: dict[str, MissingDepartment] = {}
        for entry in self._chosen(aids):
            if entry.bill_department_state is Side.MISSING and entry.department not in found:
                content = {"name": entry.department_name, "shortName": entry.department}
                found[entry.department] = MissingDepartment(entry.department, entry.department_name, content)
        return list(found.values())

    def planned(self) -> GlMap:
        """Return the map as it will be once everything missing that may be created has been created.

        The ids are placeholders (``new:account:<number>``): for plans, never for writing.
        """
        entries = {}
        for aid, entry in self.entries.items():
            changes: dict[str, Any] = {}
            if self.rules.create_accounts and entry.bill_account_state is Side.MISSING:
                changes |= {"bill_account_id": f"new:account:{entry.account_number}", "bill_account_state": Side.OK}
            if self.rules.create_departments and entry.bill_department_state is Side.MISSING:
                changes |= {"bill_department_id": f"new:department:{entry.department}"}
                changes |= {"bill_department_state": Side.OK}
            entries[aid] = msgspec.structs.replace(entry, **changes) if changes else entry
        return GlMap(self.rules, entries, self.units, self.by_code)

    def _chosen(self, aids: Iterable[str] | None) -> list[GlEntry]:
        if aids is None:
            chosen: Iterable[GlEntry] = (e for e in self.entries.values() if e.posting_code not in ("N", "I"))
        else:
            chosen = (self.entries[aid] for aid in set(aids) if aid in self.entries)
        return sorted(chosen, key=lambda e: (e.business_unit, e.object, e.subsidiary, e.aid))


def build_gl_map(
    f0901: Iterable[Row],
    f0006: Iterable[Row],
    bill_accounts: Iterable[Mapping[str, Any]],
    bill_departments: Iterable[Mapping[str, Any]],
    *,
    rules: GlRules,
    overrides: Iterable[Override] = (),
) -> GlMap:
    """Map every JDE account.

    Args:
        f0901: account master rows.
        f0006: business unit rows.
        bill_accounts: accounts as the API sends them, archived ones too.
        bill_departments: departments as the API sends them, archived ones too.
        rules: the connection's templates.
        overrides: lines of the override file.
    """
    units = {text(r, "MCU"): JdeUnit(text(r, "MCU"), text(r, "CO"), text(r, "DL01"), text(r, "PECC")) for r in f0006}
    accounts = _by(bill_accounts, lambda a: (a.get("account") or {}).get("number"))
    departments = _by(bill_departments, lambda d: d.get("shortName"))
    department_names = _by(bill_departments, lambda d: d.get("name"))
    lines = sorted(overrides, key=lambda o: -o.weight)
    entries: dict[str, GlEntry] = {}
    by_code: dict[tuple[str, str, str], str] = {}
    for row in f0901:
        mcu, obj, sub = text(row, "MCU"), text(row, "OBJ"), text(row, "SUB")
        unit = units.get(mcu)
        words = {
            "company": text(row, "CO"),
            "business_unit": mcu,
            "object": obj,
            "subsidiary": sub,
            "account": text(row, "AID"),
            "third": text(row, "ANS"),
            "description": text(row, "DL01"),
            "unit_description": unit.description if unit else "",
        }
        line = next((o for o in lines if o.fits(mcu, obj, sub)), None)
        number = (line.account_number if line else "") or render(rules.account_number, words)
        department = (line.department if line else "") or render(rules.department, words)
        account_id, account_state = _pick(accounts, number)
        if not department:
            department_id, department_state = "", Side.UNUSED
        else:
            department_id, department_state = _pick(departments, department)
            if department_state is Side.MISSING:
                department_id, department_state = _pick(department_names, department)
        entry = GlEntry(
            aid=words["account"],
            company=words["company"],
            business_unit=mcu,
            object=obj,
            subsidiary=sub,
            description=words["description"],
            posting_code=text(row, "PEC"),
            currency=text(row, "CRCD"),
            account_number=number,
            department=department,
            account_name=render(rules.account_name, words) or number,
            department_name=render(rules.department_name, words) or department,
            bill_account_id=account_id,
            bill_account_state=account_state,
            bill_department_id=department_id,
            bill_department_state=department_state,
        )
        entries[entry.aid] = entry
        by_code[mcu, obj, sub] = entry.aid
    return GlMap(rules, entries, units, by_code)


def parse_overrides(rows: Iterable[Mapping[str, str]]) -> tuple[Override, ...]:
    """Read the lines of an override file.

    Args:
        rows: one mapping per line, with columns ``business_unit``, ``object``, ``subsidiary`` (empty or ``*`` fits
            everything in business_unit and object; in subsidiary ``*`` does, empty means no subsidiary),
            ``account_number`` and ``department`` (empty leaves it to the template).

    Raises:
        OverrideError: a column is missing, a line answers nothing, or two lines have one key. Line 1 is the header.
    """
    found: dict[tuple[str, str, str], Override] = {}
    for line, row in enumerate(rows, start=2):
        missing = [c for c in ("business_unit", "object", "account_number") if row.get(c) is None]
        if missing:
            raise OverrideError(f"line {line}: column {missing[0]} is missing")
        key = (
            row["business_unit"].strip() or "*",
            row["object"].strip() or "*",
            (row["subsidiary"].strip() if row.get("subsidiary") is not None else "*"),
        )
        override = Override(*key, row["account_number"].strip(), (row.get("department") or "").strip())
        if not override.account_number and not override.department:
            raise OverrideError(f"line {line}: neither account_number nor department is given")
        if key in found:
            raise OverrideError(f"line {line}: the key {'.'.join(key)} was given before")
        found[key] = override
    return tuple(found.values())


def check_template(template: str) -> None:
    """Check that a template uses words that exist.

    Raises:
        TemplateError: it does not, or its braces do not match.
    """
    try:
        words = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise TemplateError(f"template {template!r}: {error}") from None
    wrong = [word for word in words if word not in WORDS]
    if wrong:
        raise TemplateError(f"template {template!r}: unknown word {wrong[0]!r}; allowed are {', '.join(WORDS)}")


def render(template: str, words: Mapping[str, str]) -> str:
    """Fill a template and drop the separators that empty words leave at the ends."""
    return template.format_map(words).strip(_SEPARATORS)


def _by(objects: Iterable[Mapping[str, Any]], key_of: Any) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in objects:
        key = key_of(item)
        if key is not None and str(key).strip():
            found[str(key).strip().casefold()].append(item)
    return found


def _pick(found: Mapping[str, list[Mapping[str, Any]]], key: str) -> tuple[str, Side]:
    candidates = found.get(key.casefold(), [])
    live = [c for c in candidates if not c.get("archived")]
    if len(live) == 1:
        return str(live[0]["id"]), Side.OK
    if live:
        return "", Side.AMBIGUOUS
    return "", Side.ARCHIVED if candidates else Side.MISSING
