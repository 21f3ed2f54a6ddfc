"""Exact money: decimals per currency, minor units, allocation without loss.

Belongs here: arithmetic on amounts. Does not belong here: which amount of a document counts.

Amounts are ``Decimal`` in major units of one currency. Sources: ISO 4217 minor units; JDE keeps the site's own number
of decimals per currency in F0013.CDEC (a character), which wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import msgspec

from jdebill_pipelines.domain.rows import Row, text

_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
    "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD "
    "KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO "
    "NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL "
    "THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"
)
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
ISO_DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}


class UnknownCurrencyError(LookupError):
    """A currency that neither ISO 4217 nor the site's F0013 knows."""


class InexactAmountError(ValueError):
    """An amount with more decimals than its currency has."""


class UnallocatableError(ValueError):
    """An amount that cannot be spread: there are no lines, or they add up to nothing."""


class Currencies(msgspec.Struct, frozen=True):
    """How many decimals each currency has here.

    Attributes:
        overrides: decimals by currency code from the site's F0013.
    """

    overrides: dict[str, int] = {}

    @classmethod
    def from_rows(cls, rows: Iterable[Row] = ()) -> Currencies:
        """Read F0013 rows; a CDEC that is blank or no digit leaves ISO's number in force."""
        found = ((text(row, "CRCD"), text(row, "CDEC")) for row in rows)
        return cls({code: int(decimals) for code, decimals in found if code and decimals.isdecimal()})

    def known(self, code: str) -> bool:
        """Tell whether the currency exists."""
        return code in self.overrides or code in ISO_DECIMALS

    def decimals(self, code: str) -> int:
        """Return the number of decimals of a currency.

        Raises:
            UnknownCurrencyError: neither F0013 nor ISO 4217 has it.
        """
        found = self.overrides.get(code, ISO_DECIMALS.get(code))
        if found is None:
            raise UnknownCurrencyError(f"currency {code!r} is neither in F0013 nor in ISO 4217")
        return found

    def fits(self, amount: Decimal, code: str) -> bool:
        """Tell whether an amount has no more decimals than its currency allows."""
        return amount.is_finite() and amount == round_to(amount, self.decimals(code))

    def round(self, amount: Decimal, code: str) -> Decimal:
        """Round half up to the currency's decimals."""
        return round_to(amount, self.decimals(code))


def in_words(amount: Decimal, currency: str) -> str:
    """Return an amount as people read it: ``1,360.10``.

    With the currency's decimals (ISO 4217; two for a currency that is not in it), or its own if those are more; zeros
    beyond say nothing. Never rounds.
    """
    exponent = amount.normalize().as_tuple().exponent
    own = -exponent if isinstance(exponent, int) else 0
    return f"{amount:,.{max(ISO_DECIMALS.get(currency, 2), own)}f}"


def round_to(amount: Decimal, decimals: int) -> Decimal:
    """Round half up to a number of decimals (JDE rounds half up)."""
    return amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def to_minor(amount: Decimal, decimals: int) -> int:
    """Return an amount in minor units.

    Raises:
        InexactAmountError: the amount has more decimals than ``decimals``.
    """
    scaled = amount.scaleb(decimals)
    if scaled != scaled.to_integral_value():
        raise InexactAmountError(f"{amount} has more than {decimals} decimals")
    return int(scaled)


def from_minor(minor: int, decimals: int) -> Decimal:
    """Return minor units as an amount in major units."""
    return Decimal(minor).scaleb(-decimals)


def allocate(total: Decimal, weights: Sequence[Decimal], decimals: int) -> list[Decimal]:
    """Spread an amount over lines in proportion to their weights, to the last minor unit.

    Largest remainder: every share is at most one minor unit from its exact value and the shares add up to the total
    exactly. Weights may be negative (a credit line inside a bill); equal remainders are served in line order.

    Args:
        total: what is to be spread, major units, no more than ``decimals`` decimals.
        weights: the lines' amounts; their sum must not be zero.
        decimals: decimals of the currency.

    Raises:
        InexactAmountError: the total has more decimals than the currency.
        UnallocatableError: no weights, or their sum is zero.
    """
    units = to_minor(total, decimals)
    whole = sum(weights, Decimal(0))
    if whole == 0:
        raise UnallocatableError(f"{total} cannot be spread over {len(weights)} lines that add up to zero")
    exact = [Fraction(units) * Fraction(weight) / Fraction(whole) for weight in weights]
    shares = [share.numerator // share.denominator for share in exact]
    left = units - sum(shares)
    by_remainder = sorted(range(len(exact)), key=lambda i: (shares[i] - exact[i], i))
    for index in by_remainder[:left]:
        shares[index] += 1
    return [from_minor(share, decimals) for share in shares]
