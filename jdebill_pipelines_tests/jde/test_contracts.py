"""Discovery, and the difference between what an orchestration is and what it must be."""

from __future__ import annotations

from typing import Any

import pytest

from jdebill_pipelines.jde.contracts import Field, OrchestrationSpec, check_contract, read_discovery
from jdebill_pipelines_tests.jde.fake_ais import FakeAis, error
from jdebill_pipelines_tests.transport.wire import html

SPEC = OrchestrationSpec(
    "JDEBILL_AP_VOUCHER",
    inputs=(
        Field("Supplier Number", "numeric"),
        Field("Invoice Date", "date"),
        Field("Tax Area", "string", required=False),
        Field("Lines", "array", members=(Field("Account", "string"), Field("Amount", "numeric"))),
    ),
    outputs=(Field("Document Number", "numeric"), Field("Batch Number", "numeric")),
)


def orchestration(**more: Any) -> dict[str, Any]:
    return {
        "name": "JDEBILL_AP_VOUCHER",
        "description": "d",
        "inputFormat": "Generic",
        "inputs": [
            {"name": "Supplier Number", "type": "Numeric"},
            {"name": "Invoice Date", "type": "String"},
            {"name": "Tax Area", "type": "String"},
            {
                "name": "Lines",
                "type": "Array",
                "inputs": [{"name": "Account", "type": "String"}, {"name": "Amount", "type": "Numeric"}],
            },
        ],
        "outputs": [],
        "exposeInputsInDiscovery": True,
        "containsContinueOnError": False,
        "udoGroup": "Shared",
        "version": "3",
    } | more


def problems(**more: Any) -> list[str]:
    return check_contract(read_discovery({"orchestrations": [orchestration(**more)]}), SPEC)


def test_what_fits_has_no_problems(ais: FakeAis) -> None:
    """Over the wire; a date may be declared as text."""
    ais.discovery = [orchestration(), orchestration(name="OTHER")]
    found = ais.client().discover()
    assert set(found) == {"JDEBILL_AP_VOUCHER", "OTHER"}
    assert check_contract(found, SPEC) == []
    contract = found["JDEBILL_AP_VOUCHER"]
    assert (contract.version, contract.group, contract.inputs[3].members[1].name) == (3, "Shared", "Amount")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"udoGroup": "Personal"}, "it is Personal; publish it"),
        ({"udoGroup": "Pending Approval"}, "it is Pending Approval"),
        ({"version": "2"}, "version 3 is needed"),
        ({"inputFormat": "Oracle Cloud IoT"}, "set it to Generic"),
        ({"inputs": orchestration()["inputs"][1:]}, "input 'Supplier Number' is missing"),
        ({"inputs": [{"name": "supplier number"}, *orchestration()["inputs"][1:]]}, "is spelled 'supplier number'"),
        (
            {"inputs": [{"name": "Supplier Number", "type": "String"}, *orchestration()["inputs"][1:]]},
            "must be numeric",
        ),
        ({"inputs": [*orchestration()["inputs"], {"name": "Pin", "required": True}]}, "'Pin' is required there"),
        ({"outputs": [{"name": "Document Number", "type": "Numeric"}]}, "output 'Batch Number' is missing"),
        ({"exposeInputsInDiscovery": False}, "cannot be checked"),
        ({"name": "jdebill_ap_voucher"}, "the server spells it jdebill_ap_voucher"),
        ({"name": "X"}, "UDO view security"),
    ],
)
def test_each_difference_is_one_line_with_what_to_do(change: dict[str, Any], words: str) -> None:
    """Visibility, sharing, version, format, inputs, outputs."""
    (problem,) = problems(**change)
    assert words in problem
    assert problem.startswith("JDEBILL_AP_VOUCHER: ")


def test_members_of_arrays_are_compared() -> None:
    """A line without its amount."""
    inputs = [*orchestration()["inputs"][:3], {"name": "Lines", "type": "Array", "inputs": [{"name": "Account"}]}]
    assert problems(inputs=inputs) == ["JDEBILL_AP_VOUCHER: input Lines: 'Amount' is missing"]


def test_optional_inputs_may_be_missing() -> None:
    """What is not required is not a problem."""
    inputs = [i for i in orchestration()["inputs"] if i["name"] != "Tax Area"]
    assert problems(inputs=inputs) == []


def test_another_name_on_this_server() -> None:
    """The connection names it otherwise."""
    found = read_discovery({"orchestrations": [orchestration(name="ACME_VOUCHER")]})
    assert check_contract(found, SPEC, "ACME_VOUCHER") == []
    assert "ACME_VOUCHER" not in check_contract(found, SPEC)[0]


def test_discovery_falls_back_and_is_repeated(ais: FakeAis) -> None:
    """Older paths on 404, again on 502; other shapes of the answer are read too."""
    ais.discovery = [orchestration()]
    ais.fail("/v3/discover", html(502))
    client = ais.client()
    assert set(client.discover()) == {"JDEBILL_AP_VOUCHER"}
    ais.fail("/v3/discover", error(404, "no"))
    ais.fail("/v2/discover", lambda _: None)
    with pytest.raises(Exception, match="discover"):
        client.discover()
    assert set(read_discovery([orchestration()])) == {"JDEBILL_AP_VOUCHER"}
    assert set(read_discovery(orchestration())) == {"JDEBILL_AP_VOUCHER"}
    assert read_discovery({"orchestrations": []}) == {}
