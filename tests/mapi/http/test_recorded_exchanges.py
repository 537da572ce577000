"""Conversations with a real server, played again: what is asked is what was asked, what is read is what was said."""

from __future__ import annotations

import httpx
import pytest

from tests.mapi.http.exchanges import RECORDED, USER, Replay, answered, body, endpoint
from workers.mapi.buffers import decode_response_buffer
from workers.mapi.http.bodies import ConnectRequest, ConnectResponse, ExecuteRequest, ExecuteResponse
from workers.mapi.http.channel import Channel
from workers.mapi.http.directory import AddressBook
from workers.mapi.http.frames import unwrap, wrap
from workers.mapi.http.nspi import QueryRowsRequest, QueryRowsResponse, ResolveNamesRequest, ResolveNamesResponse, Stat
from workers.mapi.http.transport import HttpTransport
from workers.mapi.rops import LogonRequest
from workers.mapi.transport import ConnectionLost, RpcError

OWN_DN = "/o=Gromox default/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=01000000e8030000-u000"


def own_dn() -> str:
    return OWN_DN


def test_a_session_context_from_connect_to_disconnect(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay("connect", "logon", "disconnect")
    transport = HttpTransport(endpoint(monkeypatch, replay), own_dn)
    recorded = ExecuteRequest.decode(bytes.fromhex(RECORDED["logon"]["request_hex"]))

    context = transport.connect("")
    reply = transport.execute(context, unwrap(recorded.rop_buffer))
    transport.disconnect(context)

    replay.done()
    request = LogonRequest(0, 0, 1, 0x05000008, 0, OWN_DN)
    [response], handles = decode_response_buffer(reply, [request])
    assert (response.return_value, response.response_flags, handles) == (0, 7, [0])  # type: ignore[union-attr]


def test_the_cookies_of_each_answer_go_with_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay("connect", "ping", "logon")
    place = endpoint(monkeypatch, replay)
    channel = Channel(place.client(), place.emsmdb)

    channel.ask("Connect", bytes.fromhex(RECORDED["connect"]["request_hex"]))
    channel.ping()
    channel.ask("Execute", bytes.fromhex(RECORDED["logon"]["request_hex"]))

    first = dict(
        value.partition("=")[::2] for name, value in RECORDED["connect"]["response_headers"] if name == "Set-Cookie"
    )
    assert replay.cookies == [None, *["; ".join(f"{name}={value}" for name, value in first.items())] * 2]
    assert channel.expires == 900


def test_what_a_connect_says() -> None:
    request = bytes.fromhex(RECORDED["connect"]["request_hex"])
    response = ConnectResponse.decode(body("connect"))

    assert ConnectRequest.decode(request).encode() == request
    told = RECORDED["connect"]["decoded"]["response"]
    assert response.display_name == told["DisplayName"]
    assert response.dn_prefix == told["DnPrefix"]
    assert (response.polls_max, response.retry_count, response.retry_delay) == (
        told["PollsMax"],
        told["RetryCount"],
        told["RetryDelay"],
    )


def test_somebody_elses_dn_is_refused_with_the_servers_code() -> None:
    with pytest.raises(RpcError) as caught:
        ConnectResponse.decode(body("connect_foreign_dn"))

    assert caught.value.code == 0x80070005


@pytest.mark.parametrize(
    ("name", "compress", "obfuscate"),
    [("obfuscated", False, True), ("compressed", True, False), ("compressed_and_obfuscated", True, True)],
)
def test_buffers_that_a_server_understood_are_read(name: str, *, compress: bool, obfuscate: bool) -> None:
    packed = ExecuteRequest.decode(bytes.fromhex(RECORDED[name]["request_hex"])).rop_buffer

    payload = unwrap(packed)

    size = int.from_bytes(payload[:2], "little")
    assert size <= len(payload)
    assert (len(payload) - size) % 4 == 0
    assert unwrap(wrap(payload, compress=compress, obfuscate=obfuscate)) == payload


def test_an_execute_is_read_and_written_back() -> None:
    request = bytes.fromhex(RECORDED["logon"]["request_hex"])

    assert wrap(unwrap(ExecuteRequest.decode(request).rop_buffer)) == ExecuteRequest.decode(request).rop_buffer
    assert ExecuteRequest(ExecuteRequest.decode(request).rop_buffer, max_rop_out=0x10008).encode() == request
    assert ExecuteResponse(ExecuteResponse.decode(body("logon")).rop_buffer).encode() == body("logon")


def test_rows_of_the_address_book() -> None:
    request, response = bytes.fromhex(RECORDED["query_rows"]["request_hex"]), body("query_rows")

    rows = QueryRowsResponse.decode(response)

    assert QueryRowsRequest(Stat(), 5).encode() == request
    assert QueryRowsRequest.decode(request) == (Stat(), 5)
    assert rows.encode() == response
    told = RECORDED["query_rows"]["decoded"]["response"]
    assert rows.stat.current_rec == told["State"]["CurrentRec"]
    assert [(each.name, each.address, each.dn, each.display_type) for each in rows.entries] == [
        (each["DisplayName"], each["SmtpAddress"], each["EmailAddress"], each["DisplayType"]) for each in told["Rows"]
    ]


def test_a_container_that_is_not_there_is_refused_with_the_servers_code() -> None:
    with pytest.raises(RpcError) as caught:
        QueryRowsResponse.decode(body("unknown_container"))

    assert caught.value.code == 0x80040405


def test_names_are_resolved() -> None:
    request, response = bytes.fromhex(RECORDED["resolve_names"]["request_hex"]), body("resolve_names")
    names = RECORDED["resolve_names"]["decoded"]["request"]["Names"]

    found = ResolveNamesResponse.decode(response)

    assert ResolveNamesRequest(names).encode() == request
    assert ResolveNamesRequest.decode(request).names == names
    assert found.found == [2, 2, 1, 1, 2]
    assert [each.address for each in found.entries] == ["u003@lab.test", "svc@lab.test", "u004@lab.test"]


def test_the_address_book_is_bound_asked_and_unbound(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def play(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["x-requesttype"])
        name = {"Bind": "bind", "ResolveNames": "resolve_names", "Unbind": "unbind"}[asked[-1]]
        if name != "resolve_names":
            assert request.content.hex() == RECORDED[name]["request_hex"]
        return answered(RECORDED[name], request)

    names = ["u003@lab.test", "svc", "nobody-here", "Lab u01", "u004@lab.test"]
    found = AddressBook(endpoint(monkeypatch, play)).dns_of(names)

    assert asked == ["Bind", "ResolveNames", "Unbind"]
    assert [name for name in names if found[name]] == ["u003@lab.test", "svc", "u004@lab.test"]
    assert str(found["u003@lab.test"]).endswith("-u003")


def test_an_account_that_is_refused_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    def play(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("authorization"))
        recorded = RECORDED["unauthorized"]
        headers = {"WWW-Authenticate": 'Basic realm="msrpc realm", charset="utf-8"'}
        return httpx.Response(401, headers=headers, content=bytes.fromhex(recorded["response_hex"]))

    transport = HttpTransport(endpoint(monkeypatch, play), own_dn)
    with pytest.raises(RpcError) as caught:
        transport.connect("")

    assert caught.value.code == 0x80040111
    assert [bool(each) for each in sent] == [False, True]


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("unknown_session", "unknown or expired session"),
        ("old_sequence", "invalid sequence"),
        ("no_cookie", "missing cookie"),
    ],
)
def test_the_servers_own_codes_are_told_by_their_meaning(
    monkeypatch: pytest.MonkeyPatch, name: str, meaning: str
) -> None:
    def play(request: httpx.Request) -> httpx.Response:
        return answered(RECORDED["connect" if request.headers["x-requesttype"] == "Connect" else name], request)

    transport = HttpTransport(endpoint(monkeypatch, play), own_dn)
    context = transport.connect("")

    with pytest.raises(ConnectionLost, match=meaning):
        transport.execute(context, bytes.fromhex("0200"))
    with pytest.raises(ConnectionLost, match="no session context"):
        transport.execute(context, bytes.fromhex("0200"))


def test_a_path_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = HttpTransport(
        endpoint(monkeypatch, lambda request: answered(RECORDED["no_mailbox_id"], request)), own_dn
    )
    with pytest.raises(RpcError, match=r"HTTP 404.*enabled there"):
        transport.connect("")


def test_the_url_of_the_recorded_client(monkeypatch: pytest.MonkeyPatch) -> None:
    place = endpoint(monkeypatch, None)

    assert place.emsmdb == f"http://127.0.0.1/mapi/emsmdb/?MailboxId={USER}"
    assert RECORDED["connect"]["request_line"].split()[1] == f"/mapi/emsmdb/?MailboxId={USER}"
    assert place.nspi == f"http://127.0.0.1/mapi/nspi/?MailboxId={USER}"
