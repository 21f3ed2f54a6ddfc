"""Why an amount stands on an account: what BILL's account and department are in JDE, and which rule says so.

Belongs here: accounts on both sides and the rules that join them. Does not belong here: the lines of a document.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from jdebill_pipelines.audit.tracing.records import Records
from jdebill_pipelines.config.connection import Connection
from jdebill_pipelines.domain.gl_mapping import Override, OverrideError, parse_overrides

_ALL_COMPANIES = "00000"


class Account(NamedTuple):
    """A JDE account: short id, code as people write it, description."""

    aid: str
    code: str
    name: str


class Accounts:
    """The accounts of one connection.

    Args:
        records: ours.
        connection: its rules.
    """

    def __init__(self, records: Records, connection: Connection) -> None:
        self._records, self._connection = records, connection

    @property
    def bank_account(self) -> str:
        """Short id of the bank account that payments are booked on, '' when the connection names none."""
        return self._connection.sync.bank_account or ""

    def by_id(self, aid: str) -> Account | None:
        """Return an account by its short id, None when F0901 does not have it."""
        return self._accounts.get(aid)

    def code(self, aid: str) -> str:
        """Return an account as people write it; the short id where F0901 does not have it."""
        found = self.by_id(aid)
        return found.code if found else aid

    def in_bill(self, classifications: Mapping[str, Any] | None) -> tuple[str, str]:
        """Return account and department of a bill's line as people read them in BILL."""
        named = classifications or {}
        account = self._bill_accounts.get(str(named.get("chartOfAccountId") or ""), "")
        return account, self._bill_departments.get(str(named.get("departmentId") or ""), "")

    def behind(self, classifications: Mapping[str, Any] | None) -> Account | None:
        """Return the one JDE account that a BILL account and department stand for, None when several or none do."""
        named = classifications or {}
        account, department = str(named.get("chartOfAccountId") or ""), str(named.get("departmentId") or "")
        units = {row["jde_key"] for row in self._map if row["kind"] == "department" and row["bill_id"] == department}
        found = [
            self._accounts[row["jde_key"]]
            for row in self._map
            if row["kind"] == "account" and row["bill_id"] == account and row["jde_key"] in self._accounts
        ]
        fitting = [a for a in found if not department or a.code.partition(".")[0] in units]
        return fitting[0] if len(fitting) == 1 else None

    def rule(self, business_unit: str, object_: str, subsidiary: str) -> str:
        """Return, in words, what made this BILL account and department of a JDE account."""
        line = next((o for o in self._overrides if o.fits(business_unit, object_, subsidiary)), None)
        gl = self._connection.sync.gl
        if line is None:
            return f"by sync.gl: account {gl.account_number}, department {gl.department or 'none'}"
        return f"by the override file, line {line.business_unit}.{line.object}.{line.subsidiary}"

    def trade_account(self, company: str, gl_class: str) -> tuple[str, str]:
        """Return the trade account of vouchers of a G/L class, and the instruction that names it; '' when unknown.

        JDE: automatic accounting instruction PC with the G/L class, of the company, else of company 00000 (F0012).
        """
        for co in (company, _ALL_COMPANIES):
            for item in (f"PC{gl_class}", "PC") if gl_class else ("PC",):
                found = self._instructions.get((item, co))
                if found is not None:
                    unit = found["mcu"] or company.lstrip("0")
                    code = ".".join(part for part in (unit, found["obj"], found["sub"]) if part)
                    return code, f"instruction {item} of company {co} (F0012)"
        return "", ""

    def currency(self, company: str) -> str:
        """Return the currency that a company keeps its ledger in, '' when F0010 does not say."""
        return self._companies.get(company, "")

    @cached_property
    def _accounts(self) -> dict[str, Account]:
        sql = "SELECT aid, mcu, obj, sub, dl01 FROM jdebill.stg_f0901 WHERE connection = :connection"
        return {
            row["aid"]: Account(row["aid"], ".".join(p for p in (row["mcu"], row["obj"], row["sub"]) if p), row["dl01"])
            for row in self._records.select(sql)
        }

    @cached_property
    def _companies(self) -> dict[str, str]:
        found = self._records.select("SELECT co, crcd FROM jdebill.stg_f0010 WHERE connection = :connection")
        return {row["co"]: row["crcd"] for row in found}

    @cached_property
    def _instructions(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        sql = "SELECT item, co, mcu, obj, sub FROM jdebill.aud_f0012 WHERE connection = :connection"
        return {(row["item"], row["co"]): row for row in self._records.select(sql)}

    @cached_property
    def _map(self) -> list[dict[str, Any]]:
        sql = "SELECT kind, jde_key, bill_id FROM jdebill.gl_map WHERE connection = :connection AND bill_id <> ''"
        return self._records.select(sql)

    @cached_property
    def _bill_accounts(self) -> dict[str, str]:
        sql = "SELECT id, name, number FROM jdebill.bill_accounts WHERE connection = :connection"
        return {row["id"]: _named(row["number"], row["name"]) for row in self._records.select(sql)}

    @cached_property
    def _bill_departments(self) -> dict[str, str]:
        sql = "SELECT id, name, short_name AS number FROM jdebill.bill_departments WHERE connection = :connection"
        return {row["id"]: _named(row["number"], row["name"]) for row in self._records.select(sql)}

    @cached_property
    def _overrides(self) -> Iterable[Override]:
        """The lines of the override file, the most exact first; none when it cannot be read (the file may be gone)."""
        path = self._connection.sync.gl.overrides
        if path is None:
            return ()
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                return sorted(parse_overrides(csv.DictReader(file)), key=lambda o: -o.weight)
        except (OSError, OverrideError):
            return ()


def _named(number: str | None, name: str | None) -> str:
    """The number, and the name that does not begin with it anyway."""
    if not number or (name or "").startswith(number):
        return name or number or ""
    return f"{number} {name or ''}".strip()
