"""Secrets and personal numbers never leave in a text, a URL or a header."""

from __future__ import annotations

import json

import pytest

from jdebill_pipelines.transport.redact import redact_headers, redact_text, redact_url

TOKEN = "044kQx+9z/Ab==MDE5"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"token": TOKEN}),
        json.dumps({"userInfo": {"token": TOKEN, "locale": "en"}}),
        json.dumps({"outer": json.dumps({"token": TOKEN})}),
        json.dumps({"aisSessionCookie": TOKEN}),
        json.dumps({"sessionId": TOKEN, "devKey": TOKEN, "password": TOKEN}),
        json.dumps({"links": [{"rel": "next", "href": f"http://h/next?rid=1&token={TOKEN}&outputType=GRID_DATA"}]}),
        f"http://h/next?rid=1\\u0026token={TOKEN}",
        f"GET /next?$token={TOKEN}&$device=x",
        f"http://h/next?%24token={TOKEN}",
        f"jde-AIS-Auth: {TOKEN}",
        f"Authorization: Basic {TOKEN}",
        f"sessionId: {TOKEN}, devKey={TOKEN}",
        f"{{'password': '{TOKEN}'}}",
        f'{{"token":"{TOKEN}',
        f"https://somebody:{TOKEN.replace('/', '')}@host/path",
    ],
)
def test_credentials_are_masked_in_every_dress(text: str) -> None:
    """JSON, JSON in JSON, query strings (also escaped), headers, user info, truncated bodies."""
    shown = redact_text(text)
    assert TOKEN not in shown
    assert TOKEN.replace("/", "") not in shown
    assert "***" in shown


def test_known_values_are_masked_wherever_they_are() -> None:
    """A secret given as such disappears, also URL-encoded or with escaped slashes."""
    text = f"server said {TOKEN} / 044kQx%2B9z%2FAb%3D%3DMDE5 / 044kQx+9z\\/Ab==MDE5"
    assert redact_text(text, [TOKEN]) == "server said *** / *** / ***"


def test_tax_and_bank_numbers_are_masked() -> None:
    """By the name of the field, or by their form."""
    body = '{"taxId":"981234567","F0101_TAX":"98-1","routingNumber":"021000021",'
    body += '"accountNumber":"000123456789","F0030_CBNK":"77"}'
    shown = redact_text(
        body + " EIN 98-1234567 SSN 981-23-4567 IBAN DE89 3704 0044 0532 0130 00 or GB29NWBK60161331926819"
    )
    for number in ("981234567", "98-1", "021000021", "000123456789", '"77"', "981-23-4567", "DE89", "NWBK"):
        assert number not in shown


def test_what_helps_to_find_a_fault_stays() -> None:
    """G/L accounts, document numbers, dates and messages are not masked."""
    text = '{"message":"Invalid Token","accountNumber":"6110","DOC":720145,"GL":"30.6110.10",'
    text += '"date":"2026-11-22","taxAmount":10.50}'
    assert redact_text(text) == text


def test_urls_lose_user_info_and_secret_parameters_only() -> None:
    """Path and harmless parameters stay readable."""
    url = "https://u:p@ais.example:9300/jderest/v2/dataservice/next?stackId=1&token=a%2Bb&returnControlIDs=F0411.DOC"
    assert redact_url(url) == (
        "https://ais.example:9300/jderest/v2/dataservice/next?stackId=1&token=***&returnControlIDs=F0411.DOC"
    )


def test_headers() -> None:
    """Sensitive headers are masked whatever their case."""
    headers = {"JDE-AIS-AUTH": TOKEN, "jde-AIS-Auth-Device": "jdebill-acme", "Cookie": TOKEN, "devKey": TOKEN}
    assert redact_headers(headers) == {
        "JDE-AIS-AUTH": "***",
        "jde-AIS-Auth-Device": "jdebill-acme",
        "Cookie": "***",
        "devKey": "***",
    }
