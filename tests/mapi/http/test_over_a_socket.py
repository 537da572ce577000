"""The whole client over a real socket: against the simulated server behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.mapi.http.webs import ADMIN, connected, names_of, visited, web
from workers.access import Access
from workers.causes import Cause
from workers.jobs import load
from workers.mailbox import Mailbox
from workers.mapi.buffers import decode_request_buffer
from workers.mapi.hresults import MapiError
from workers.mapi.http.transport import HttpTransport
from workers.mapi.profile import OpenStoreFlags
from workers.mapi.rops import LogonRequest
from workers.servers import server_at
from workers.simulated.web import Account
from workers.slots import AHEAD, AT, BEATS, private_slot
from workers.urls import ServerUrlError


def everything(mailbox: Mailbox) -> object:
    return [
        (folder.path, folder.message_count, folder.size, [(m.subject, m.received, m.read()) for m in folder.messages()])
        for folder in mailbox.folders()
    ]


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("words", ["", "?compress=yes"])
def test_a_mailbox_is_the_same_as_without_a_socket(words: str, *, separate: bool) -> None:
    here = "sim:3?folders=4&messages=30"
    with web(here) as server:
        session = connected(server.url + words, separate=separate)
        names = names_of(server.url)
        found = visited(session, 3, everything, names)
        session.close()

        assert found == visited(server_at(here).session(private_slot()), 3, everything)
        assert server.contexts == {}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("census", {"newest": True}),
        ("folders", {}),
        ("search", {"subject": "re", "body": "e"}),
        ("save", {"directory": "saved"}),
    ],
)
def test_built_in_jobs_find_the_same(
    name: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, here = load(name), "sim:20?folders=3&messages=10"
    places = iter(["there", "here"])

    def result(mailbox: Mailbox) -> object:
        found = job(mailbox, **options)
        return found if isinstance(found, dict) else list(found)

    def move() -> None:
        place = tmp_path / next(places)
        place.mkdir()
        monkeypatch.chdir(place)

    move()
    with web(here) as server:
        found = visited(connected(server.url), 20, result, names_of(server.url))
    move()

    assert found == visited(server_at(here).session(private_slot()), 20, result)
    assert any(found)
    assert files(tmp_path / "there") == files(tmp_path / "here")


def files(place: Path) -> dict[str, bytes]:
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_mailboxes_of_a_chunk_are_opened_and_listed_together() -> None:
    here = "sim:40?folders=3"
    with web(here) as server:
        slot = private_slot()
        session = server_at(f"{server.url}?prefetch=8", access=ADMIN).session(slot)
        walk = session.mailboxes(range(40), names_of(server.url), slot)
        seen = [(slot[AT], mailbox.address, len(mailbox.folders())) for mailbox in walk]

        assert [each[0] for each in seen] == [*range(40)]
        assert seen == [
            (number, mailbox.address, len(mailbox.folders()))
            for number, mailbox in enumerate(
                server_at(here).session(private_slot()).mailboxes(range(40), None, private_slot())
            )
        ]
        assert server.simulated.round_trips == 2 * 40 / 8


def test_a_job_that_wants_no_folders_makes_the_server_list_none() -> None:
    with web("sim:16") as server:
        visited(connected(f"{server.url}?prefetch=8"), 16, lambda mailbox: mailbox.address, names_of(server.url))

        assert server.simulated.round_trips == 2


def test_one_of_several_that_is_refused_is_the_only_one_that_fails() -> None:
    with web("sim:12?missing=u00000002@sim.example&denied=u00000005@sim.example&deny=folders") as server:
        names = names_of(server.url)
        names[8] = "nobody@sim.example"
        found = visited(connected(f"{server.url}?prefetch=8"), 12, lambda mailbox: len(mailbox.folders()), names)

        causes = {place: each.cause for place, each in enumerate(found) if isinstance(each, MapiError)}
        assert causes == {2: Cause.MISSING, 5: Cause.DENIED, 8: Cause.MISSING}


def test_the_slot_says_how_many_were_opened_ahead() -> None:
    with web("sim:12") as server:
        slot = private_slot()
        session = server_at(f"{server.url}?prefetch=8", access=ADMIN).session(slot)
        seen = [slot[AHEAD] for _ in session.mailboxes(range(12), names_of(server.url), slot)]

        assert seen == [7, 6, 5, 4, 3, 2, 1, 0, 3, 2, 1, 0]
        assert slot[AHEAD] == 0


def test_a_walk_that_is_left_lets_go_of_what_was_opened_ahead() -> None:
    with web("sim:12") as server:
        session = connected(f"{server.url}?prefetch=8")
        walk = session.mailboxes(range(12), names_of(server.url), private_slot())
        next(walk).folders()
        walk.close()

        [connection] = session._session.provider.connections()
        assert connection.logons == {}
        connection.flush()
        assert server.simulated.open_objects(1) == 0


def test_more_are_not_opened_ahead_than_there_are_indexes() -> None:
    with web("sim:300") as server:
        session = connected(f"{server.url}?prefetch=32")
        names = names_of(server.url)
        kept = [session._session.open_msg_store(session._dn_of(name)) for name in names[:250]]
        found = visited(session, 300, lambda mailbox: mailbox.address, names)

        assert found == names
        assert all(store.is_open for store in kept)


def test_a_table_that_leaks_have_filled_is_recovered() -> None:
    with web("sim:300") as server:
        left = []

        def leak(mailbox: Mailbox) -> str:
            left.append(mailbox.store.open_folder(mailbox.store.folder_ids.ipm_subtree))
            return mailbox.address

        names = names_of(server.url)
        assert visited(connected(f"{server.url}?prefetch=8"), 300, leak, names) == names


def test_what_the_address_book_listed_is_not_asked_for_again() -> None:
    with web("sim:3") as server:
        service: Any = server_at(server.url, access=ADMIN)
        dns = [service.dn_of(name) for name in service.addresses()]

        assert dns == [service.dn_of(name) for name in names_of(server.url)]
        assert server.heard["ResolveNames"] == 0


def test_the_address_book_is_read_in_pages_and_in_its_order() -> None:
    with web("sim:2500") as server:
        assert names_of(server.url) == list(server_at("sim:2500").addresses())
        assert server.heard["QueryRows"] == 3
        assert server.contexts == {}


def test_the_names_of_a_chunk_are_resolved_together() -> None:
    with web("sim:250") as server:
        names = names_of(server.url)
        visited(connected(server.url), 250, lambda mailbox: mailbox.address, names)

        assert server.heard["ResolveNames"] == 1 + 3  # the account's own; then 100 at a time


def test_a_name_without_an_entry_is_a_mailbox_that_is_missing() -> None:
    with web("sim:3") as server:
        names = [names_of(server.url)[0], "nobody@sim.example", names_of(server.url)[2]]
        first, missing, last = visited(connected(server.url), 3, lambda mailbox: mailbox.address, names)

        assert (first, last) == (names[0], names[2])
        assert missing.cause is Cause.MISSING


def test_a_dn_is_taken_as_it_is() -> None:
    with web("sim:3") as server:
        dn = server_at("sim:3").dn_of("u00000001@sim.example")  # type: ignore[attr-defined]
        session = connected(server.url)

        with session.open(dn) as mailbox:
            assert mailbox.folders()
        assert server.heard["ResolveNames"] == 1


def test_each_round_trip_is_a_beat_and_each_mailbox_is_in_the_slot() -> None:
    with web("sim:3") as server:
        slot = private_slot()
        session = server_at(server.url, access=ADMIN).session(slot)
        at = [slot[AT] for _ in session.mailboxes(range(3), names_of(server.url), slot)]

        assert at == [0, 1, 2]
        assert slot[BEATS] >= server.simulated.round_trips + 2


def test_an_account_whose_password_is_right_is_let_in() -> None:
    with web("sim:3", account=Account("admin@sim.example", "s3cret")) as server:
        assert len(names_of(server.url)) == 3


@pytest.mark.parametrize(("words", "admin"), [("", 0), ("?admin=yes", OpenStoreFlags.USE_ADMIN_PRIVILEGE)])
def test_an_administrator_says_so_at_each_logon(monkeypatch: pytest.MonkeyPatch, words: str, admin: int) -> None:
    with web("sim:2") as server:
        heard: list[bytes] = []
        own = server.simulated.execute

        def listen(context: int, rop_buffer: bytes) -> bytes:
            heard.append(rop_buffer)
            return own(context, rop_buffer)

        monkeypatch.setattr(server.simulated, "execute", listen)
        visited(connected(server.url + words), 2, lambda mailbox: mailbox.address, names_of(server.url))

    logons, _ = decode_request_buffer(heard[0])
    asked = [each.open_flags & OpenStoreFlags.USE_ADMIN_PRIVILEGE for each in logons if isinstance(each, LogonRequest)]
    assert asked == [admin, admin]


def test_an_idle_context_is_kept_alive() -> None:
    with web("sim:3") as server:
        service: Any = server_at(server.url, access=ADMIN)
        now = [0.0]
        own = service.profile.transport
        transport = HttpTransport(service._endpoint, own._own_dn, lambda: now[0])
        transport.connect("")

        assert transport.keep_alive() == 60
        assert server.heard["PING"] == 0
        now[0] = 451.0  # more than half of the 15 minutes that the server says
        transport.keep_alive()

        assert server.heard["PING"] == 1


@pytest.mark.parametrize(
    ("url", "access", "why"),
    [
        ("mapi+https://", ADMIN, "names no host"),
        ("mapi+https://mail.example:99999", ADMIN, r"'mapi\+https://mail\.example:99999': Port out of range"),
        ("mapi+https://mail.example", Access(), "--user"),
        ("mapi+http://mail.example", ADMIN, "--plaintext"),
        ("mapi+https://anna:s3cret@mail.example", ADMIN, "no place for an account"),
        ("mapi+https://mail.example?colour=red", ADMIN, "no option 'colour'"),
        ("mapi+https://mail.example?auth=magic", ADMIN, "auth=magic"),
        ("mapi+https://mail.example?prefetch=100", ADMIN, "1 to 32 mailboxes"),
        ("mapi+https://mail.example?timeout=never", ADMIN, "timeout=never"),
        ("mapi+https://mail.example/owa", ADMIN, "ends with /emsmdb"),
        ("mapi+https://mail.example?auth=", ADMIN, "with a value"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused(url: str, access: Access, why: str) -> None:
    with pytest.raises(ServerUrlError, match=why) as caught:
        server_at(url, access=access)

    assert "s3cret" not in str(caught.value)


def test_plain_http_beyond_this_machine_can_be_asked_for() -> None:
    assert server_at("mapi+http://mail.example", access=Access(user="a", password="b", plaintext=True)).capacity == 255
