"""JSON of the BILL API: strict on the way out, tolerant on the way in, money always exact.

Belongs here: encoding and decoding of payloads. Does not belong here: what the payloads are (``models``) or how errors
are read (``errors``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
import msgspec.inspect as mi

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class MalformedAnswerError(ValueError):
    """BILL answered with JSON (or no JSON) that cannot be read as what was asked for."""


def money(value: Decimal | None, field: str, *, decimals: int = 2) -> Decimal | None:
    """Bring an amount into the form in which it is sent.

    BILL API v3 wants amounts as plain JSON numbers in major units with two decimals. Fewer decimals are padded, more
    are kept as given (unit prices).

    Args:
        value: amount in major units of the vendor's currency, or None.
        field: name for the error text.
        decimals: how many decimals it has at least.

    Raises:
        TypeError: anything but a Decimal, floats above all.
        ValueError: not a finite number.
    """
    if value is None:
        return None
    if not isinstance(value, Decimal):
        raise TypeError(f"{field} must be a Decimal, not {type(value).__name__}")
    if not value.is_finite():
        raise ValueError(f"{field} must be a finite number, not {value}")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    missing = decimals - max(-exponent, 0)
    if missing <= 0 and exponent <= 0:
        return value
    # Padding the text, not quantize(): that would round to the context's precision.
    return Decimal(format(value, "f") + ("." if exponent >= 0 and missing > 0 else "") + "0" * max(missing, 0))


def encode(payload: object) -> bytes:
    """Encode a request. Members that are None are left out; Decimals become plain JSON numbers, digit for digit.

    Raises:
        TypeError: a float is somewhere in the payload.
    """
    _refuse_floats(payload, "$")
    return _ENCODER.encode(payload)


def encode_answer(answer: object) -> bytes:
    """Encode what :func:`decode` gave: no float can be in it."""
    return _ENCODER.encode(answer)


def decode(body: bytes, kind: type[T]) -> T:
    """Decode an answer into ``kind``.

    Unknown members are ignored and missing ones are None or empty. Where the plain reading fails, a second, slower one
    accepts what BILL's own samples and clients show: numbers where text is expected (``accountNumber``), numbers as
    text, blank text where something else is expected, a date-time where a date is expected, times without a zone (read
    as UTC).

    Raises:
        MalformedAnswerError: not JSON, or not of this shape; the text says where.
    """
    try:
        return cast("T", _decoder(cast("Any", kind)).decode(body))
    except msgspec.ValidationError:
        pass
    except msgspec.DecodeError as error:
        raise MalformedAnswerError(f"not JSON: {error}") from None
    except UnicodeDecodeError:
        raise MalformedAnswerError("not UTF-8") from None
    try:
        return _lenient(decode_any(body), kind)
    except msgspec.ValidationError as error:
        raise MalformedAnswerError(str(error)) from None


def decode_any(body: bytes) -> Any:
    """Decode JSON of unknown shape; numbers with a fraction become Decimal, never float.

    Raises:
        MalformedAnswerError: not JSON.
    """
    try:
        return _ANY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedAnswerError(f"not JSON: {error}") from None


def convert(value: Any, kind: type[T]) -> T:
    """Read already decoded JSON (see :func:`decode_any`) as ``kind``, as tolerant as :func:`decode`.

    Raises:
        MalformedAnswerError: not of this shape; the text says where.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError:
        pass  # as in decode: most values are as they should be, and bending each member costs many times as much
    try:
        return _lenient(value, kind)
    except msgspec.ValidationError as error:
        raise MalformedAnswerError(str(error)) from None


_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=Decimal)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


@cache
def _shape(kind: Any) -> mi.Type:
    return mi.type_info(kind)


def _lenient(value: Any, kind: type[T]) -> T:
    return msgspec.convert(_fit(value, _shape(cast("Any", kind))), kind, strict=False)


_DROP = object()


def _fit(value: Any, shape: mi.Type) -> Any:
    """Bend a decoded value towards the shape; what cannot be bent is left for the conversion to refuse."""
    options = shape.types if isinstance(shape, mi.UnionType) else (shape,)
    nullable = any(isinstance(o, (mi.NoneType, mi.AnyType)) for o in options)
    options = tuple(o for o in options if not isinstance(o, mi.NoneType))
    if value is None:
        return None if nullable else _DROP
    if len(options) != 1:
        return value
    only = options[0]
    if isinstance(only, mi.StructType) and isinstance(value, Mapping):
        return _fit_struct(value, only)
    if isinstance(only, (mi.ListType, mi.VarTupleType)) and isinstance(value, list):
        return [f for f in (_fit(v, only.item_type) for v in value) if f is not _DROP]
    if isinstance(only, mi.RawType):
        return msgspec.Raw(_ENCODER.encode(value))
    if isinstance(only, mi.StrType):
        return _as_text(value)
    if isinstance(value, str):
        return _from_text(value, only, nullable)
    return value


def _fit_struct(value: Mapping[str, Any], shape: mi.StructType) -> dict[str, Any]:
    fields = {f.encode_name: f.type for f in shape.fields}
    fitted = {name: _fit(member, fields[name]) for name, member in value.items() if name in fields}
    return {name: member for name, member in fitted.items() if member is not _DROP}


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    return value


def _from_text(value: str, shape: mi.Type, nullable: bool) -> Any:
    text = value.strip()
    if not text:
        return None if nullable else _DROP
    try:
        if isinstance(shape, mi.DateTimeType):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(shape, mi.DateType):
            return date.fromisoformat(text[:10])
    except ValueError:
        return value
    return text


_EXACT = frozenset({str, Decimal, int, bool, type(None), date, datetime})


def _refuse_floats(value: object, path: str) -> None:
    # Every payload passes here: members of exact types are left out before anything is called for them.
    if isinstance(value, float):
        raise TypeError(f"{path} is a float; amounts are Decimal")
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            member = getattr(value, name)
            if type(member) not in _EXACT:
                _refuse_floats(member, f"{path}.{name}")
    elif isinstance(value, Mapping):
        for key, member in value.items():
            if type(member) not in _EXACT:
                _refuse_floats(member, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value):
            if type(member) not in _EXACT:
                _refuse_floats(member, f"{path}[{index}]")
