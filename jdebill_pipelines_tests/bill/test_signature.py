"""The webhook signature: one test per step that can fail."""

from __future__ import annotations

import pytest

from jdebill_pipelines.bill.signature import SignatureError, SignatureStep, check, sign, verify

BODY = '{"metadata":{"eventId":"e1"},"bill":{"description":"Größe"}}'.encode()
KEY = "current-key"


def test_known_value() -> None:
    """The algorithm is base64 of HMAC-SHA256, checked against a value computed with OpenSSL."""
    # printf '%s' '{"a":1}' | openssl dgst -sha256 -hmac secret -binary | base64
    assert sign(b'{"a":1}', "secret") == EXPECTED


EXPECTED = "qp4uNXX11wmLbKzNeQiIw21f22M0KnO62i1qUXR6hJQ="


def test_current_and_previous_key_are_accepted() -> None:
    """During a rotation either key may have signed; the answer says which."""
    assert check(BODY, sign(BODY, KEY), [KEY, "old"]) == 0
    assert check(BODY, sign(BODY, "old"), [KEY, "old"]) == 1
    assert check(BODY, f"  {sign(BODY, KEY)}\n", ["", KEY]) == 1
    assert verify(BODY, sign(BODY, KEY), [KEY])


@pytest.mark.parametrize(
    ("header", "keys", "step"),
    [
        (sign(BODY, KEY), [], SignatureStep.KEY),
        (sign(BODY, KEY), [""], SignatureStep.KEY),
        (None, [KEY], SignatureStep.HEADER),
        ("  ", [KEY], SignatureStep.HEADER),
        ("not base64!", [KEY], SignatureStep.ENCODING),
        ("größe", [KEY], SignatureStep.ENCODING),
        ("AAAA", [KEY], SignatureStep.ENCODING),
        ("ab" * 32, [KEY], SignatureStep.ENCODING),
        (sign(BODY, "other"), [KEY, "old"], SignatureStep.MATCH),
        (sign(BODY + b" ", KEY), [KEY], SignatureStep.MATCH),
        (sign(b"", KEY), [KEY], SignatureStep.MATCH),
    ],
)
def test_each_failing_step_is_named(header: str | None, keys: list[str], step: SignatureStep) -> None:
    """The reason is told, the key and the expected signature are not."""
    with pytest.raises(SignatureError) as caught:
        check(BODY, header, keys)
    assert caught.value.step is step
    assert KEY not in str(caught.value)
    assert sign(BODY, KEY) not in str(caught.value)
    assert not verify(BODY, header, keys)


def test_hexadecimal_signatures_are_not_accepted() -> None:
    """BILL's signature is base64; the same digest in hexadecimal is something else."""
    import base64

    digest = base64.b64decode(sign(BODY, KEY)).hex()
    assert not verify(BODY, digest, [KEY])
