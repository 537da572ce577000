"""ROP buffers recorded from a real server: read to the values they hold, and written back byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from workers.mapi import rops
from workers.mapi.buffers import (
    CodecError,
    decode_request_buffer,
    decode_response_buffer,
    encode_request_buffer,
    encode_response_buffer,
)
from workers.mapi.properties import PropertyError, TypedValue, row_codec

FAMILIES = sorted((Path(__file__).parent / "recorded").glob("*.json"))


def recorded(kind: str) -> list[Any]:
    found = [
        (path.stem, place, entry) for path in FAMILIES for place, entry in enumerate(json.loads(path.read_text())[kind])
    ]
    return [pytest.param(entry, id=f"{family}-{place}") for family, place, entry in found]


def request_of(fields: dict[str, Any]) -> rops.Request:
    """The request with the recorded fields, made by hand."""
    kind = getattr(rops, fields["rop"].removeprefix("Rop") + "Request")
    values = {name: value for name, value in fields.items() if name != "rop"}
    if "property_tags" in values:
        values["property_tags"] = tuple(values["property_tags"])
    if "sort_orders" in values:
        values["sort_orders"] = tuple(rops.SortOrder(**order) for order in values["sort_orders"])
    made: rops.Request = kind(**values)
    return made


def plain(value: object) -> object:
    """A value of the codec as JSON has it."""
    match value:
        case PropertyError(code=code):
            return {"error": code}
        case TypedValue(property_type, inner):
            return {"property_type": property_type, "value": plain(inner)}
        case rops.OpenRecipientRow():
            return plain(structs.asdict(value))
        case bytes():
            return value.hex()
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return plain(value._asdict())
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return value


def fields_of(response: rops.Response) -> dict[str, Any]:
    """The response's fields under the names that the recordings give them."""
    fields: dict[str, Any] = {name: plain(value) for name, value in structs.asdict(response).items()}
    match response:
        case rops.OpenMessageResponse():
            fields["recipient_rows"] = [recipient_of(row, response) for row in response.recipient_rows]
        case rops.ReadStreamResponse():
            fields |= {"data_size": len(response.data), "data_begins": fields["data"][:128]}
        case _:
            pass
    return fields


def recipient_of(row: rops.OpenRecipientRow, message: rops.OpenMessageResponse) -> dict[str, Any]:
    recipient = row.recipient(message.recipient_columns)
    names = ("recipient_flags", "email_address", "display_name", "properties")
    fields = {name: plain(getattr(recipient, name)) for name in names}
    outer = {name: getattr(row, name) for name in ("recipient_type", "code_page_id", "reserved")}
    return outer | {"recipient_row_size": len(row.recipient_row)} | fields


def assert_responses(responses: list[rops.Response], expected: list[dict[str, Any]]) -> None:
    assert len(responses) == len(expected)
    for response, wanted in zip(responses, expected, strict=True):
        rop = wanted.pop("rop")
        fields = fields_of(response)
        if isinstance(response, rops.ErrorResponse):
            assert fields == wanted
        else:
            assert type(response).__name__ == rop.removeprefix("Rop") + "Response"
            assert {name: fields[name] for name in wanted} == wanted


@pytest.mark.parametrize("exchange", recorded("exchanges"))
def test_a_recorded_request_is_written_from_its_fields_byte_for_byte(exchange: dict[str, Any]) -> None:
    requests = [request_of(fields) for fields in exchange["requests"]]

    assert encode_request_buffer(requests, exchange["handles"]).hex() == exchange["request"]


@pytest.mark.parametrize("exchange", recorded("exchanges"))
def test_a_recorded_request_is_read_to_its_fields(exchange: dict[str, Any]) -> None:
    requests, handles = decode_request_buffer(bytes.fromhex(exchange["request"]))

    assert requests == [request_of(fields) for fields in exchange["requests"]]
    assert handles == exchange["handles"]


@pytest.mark.parametrize("exchange", [each for each in recorded("exchanges") if "response" in each.values[0]])
def test_a_recorded_response_is_read_to_its_values_and_written_back(exchange: dict[str, Any]) -> None:
    buffer = bytes.fromhex(exchange["response"])
    requests = [request_of(fields) for fields in exchange["requests"]]
    rows = row_codec(tuple(exchange["columns"])) if "columns" in exchange else None

    responses, handles = decode_response_buffer(buffer, requests, rows)

    assert_responses(responses, [dict(response) for response in exchange["responses"]])
    assert handles == exchange["handles_after"]
    assert encode_response_buffer(responses, handles) == buffer


@pytest.mark.parametrize("entry", recorded("malformed"))
def test_a_recorded_request_that_the_server_could_not_read_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(CodecError):
        decode_request_buffer(bytes.fromhex(entry["request"]))


@pytest.mark.parametrize("entry", recorded("outside"))
def test_a_rop_outside_the_codec_passes_as_bytes_at_the_end_of_a_buffer(entry: dict[str, Any]) -> None:
    opaque = rops.OpaqueRequest(bytes.fromhex(entry["opaque"]))
    requests = [*(request_of(fields) for fields in entry["requests"]), opaque]

    responses, handles = decode_response_buffer(bytes.fromhex(entry["response"]), requests)

    assert_responses(responses[:-1], [dict(response) for response in entry["responses"]])
    assert responses[-1].rop_id == opaque.rop_id
    assert encode_response_buffer(responses, handles).hex() == entry["response"]
