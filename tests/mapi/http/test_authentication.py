"""Who asks, and whether the other side is who it says: certificates, NTLM, tokens."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import httpx
import pytest
import spnego
import trustme

from tests.mapi.http.exchanges import USER
from tests.mapi.http.webs import web
from workers.access import Access, TokenError
from workers.causes import Cause, MailboxError
from workers.mapi.http.authentication import Account
from workers.servers import server_at

URL = "https://mail.example/mapi/emsmdb/"


def client(access: Access, handler: object, method: str | None = None) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(handler), auth=Account(access, method))  # type: ignore[arg-type]


class Ntlm:
    """A server that knows one account, by NTLM or Negotiate."""

    def __init__(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        users = tmp_path / "users"
        users.write_text(f"LAB:{USER}:s3cret\n")
        monkeypatch.setenv("NTLM_USER_FILE", str(users))
        self.name = name
        self.context = spnego.server(protocol=name.lower())
        self.legs = 0
        self.known = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.known:
            return httpx.Response(200)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        offered = [("WWW-Authenticate", self.name), ("WWW-Authenticate", 'Basic realm="x"')]
        if scheme != self.name:
            return httpx.Response(401, headers=offered)
        self.legs += 1
        try:
            answer = self.context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            return httpx.Response(401, headers=offered)
        self.known = self.context.complete
        if answer is None or self.known:
            return httpx.Response(200)
        return httpx.Response(401, headers=[("WWW-Authenticate", f"{self.name} {base64.b64encode(answer).decode()}")])


@pytest.mark.parametrize("name", ["NTLM", "Negotiate"])
def test_a_handshake_lets_the_account_in_and_is_made_once_a_connection(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Ntlm(name, tmp_path, monkeypatch)
    with client(Access(user=f"LAB\\{USER}", password="s3cret"), server) as connection:
        assert connection.post(URL).status_code == 200
        assert connection.post(URL).status_code == 200

    assert server.legs == 2


def test_a_wrong_password_is_refused_by_ntlm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Ntlm("NTLM", tmp_path, monkeypatch)
    with client(Access(user=f"LAB\\{USER}", password="wrong"), server) as connection:
        assert connection.post(URL).status_code == 401

    assert server.legs == 2


def test_the_method_of_the_url_is_the_one_that_is_used() -> None:
    asked: list[str] = []

    def offer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("authorization", "").partition(" ")[0])
        return httpx.Response(401, headers=[("WWW-Authenticate", "NTLM"), ("WWW-Authenticate", "Basic")])

    with client(Access(user="a", password="b"), offer, "basic") as connection:
        connection.post(URL)

    assert asked == ["", "Basic"]


def test_a_token_comes_from_a_command_and_is_fetched_anew_when_it_expires(tmp_path: Path) -> None:
    count = tmp_path / "count"
    command = f"echo . >> {count}; echo token-$(wc -l < {count})"
    good = ["Bearer token-1", "Bearer token-2"]

    def check(request: httpx.Request) -> httpx.Response:
        right = request.headers.get("authorization") == good[0]
        return httpx.Response(200 if right else 401, headers={"WWW-Authenticate": "Bearer"})

    with client(Access(user="a", token_command=command), check) as connection:
        assert connection.post(URL).status_code == 200
        good.pop(0)
        assert connection.post(URL).status_code == 200


def test_a_command_without_a_token_is_this_sides_trouble() -> None:
    with (
        client(Access(user="a", token_command="exit 3"), lambda _: httpx.Response(401)) as connection,
        pytest.raises(TokenError, match="--token-command"),
    ):
        connection.post(URL)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def test_a_certificate_is_looked_at_unless_told_otherwise(authority: trustme.CA, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with web("sim:3") as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = server.url.replace("http", "https")

        def listed(access: Access) -> int:
            return len(list(server_at(url, access=access).addresses()))

        assert listed(Access(user="a", password="b", ca_file=str(trusted))) == 3
        assert listed(Access(user="a", password="b", verify=False)) == 3
        with pytest.raises(MailboxError, match=r"certificate verify failed.*--ca-file FILE says") as caught:
            listed(Access(user="a", password="b"))
        assert caught.value.cause is Cause.UNREACHABLE


def test_tls_with_a_server_that_speaks_none_is_said_so() -> None:
    with web("sim:3") as server, pytest.raises(MailboxError, match=r"there is no TLS at that port: mapi.http:"):
        list(server_at(server.url.replace("http", "https"), access=Access(user="a", password="b")).addresses())


def test_a_file_of_certificates_that_is_none_is_said_so(tmp_path: Path) -> None:
    nothing = tmp_path / "ca.pem"
    nothing.write_text("nothing")

    with pytest.raises(ValueError, match=r"ca\.pem"):
        server_at("mapi+https://mail.example", access=Access(user="a", password="b", ca_file=str(nothing)))


DN = "/o=Gromox default/cn=Recipients/cn=u003"


@pytest.mark.parametrize(
    ("content", "dn"),
    [
        (f"<User><LegacyDN>{DN}</LegacyDN></User>", DN),
        ("<Error><ErrorCode>500</ErrorCode></Error>", None),
    ],
)
def test_autodiscover_tells_dns_where_there_is_no_address_book(
    monkeypatch: pytest.MonkeyPatch, content: str, dn: str | None
) -> None:
    from workers.mapi.http.autodiscover import Autodiscover
    from workers.mapi.http.endpoint import Endpoint, endpoint_of

    schema = "http://schemas.microsoft.com/exchange/autodiscover"
    page = (
        f'<Autodiscover xmlns="{schema}/responseschema/2006">'
        f'<Response xmlns="{schema}/outlook/responseschema/2006a">{content}</Response></Autodiscover>'
    )

    def discover(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/autodiscover/autodiscover.xml"
        assert b"<EMailAddress>a&amp;b@lab.test</EMailAddress>" in request.content
        return httpx.Response(200, text=page)

    monkeypatch.setattr(Endpoint, "client", lambda _: client(Access(user="a"), discover))
    place = endpoint_of("mapi+https://mail.example?names=autodiscover", Access(user="a", password="b"))
    beats: list[None] = []

    assert Autodiscover(place, lambda: beats.append(None)).dns_of(["a&b@lab.test"]) == {"a&b@lab.test": dn}
    assert len(beats) == 1
