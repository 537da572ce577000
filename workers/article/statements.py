"""The experiments: one for each statement of the article, and one for what the wire does without a client's table.

Each is a function that is given the laboratory and returns its notes; its docstring is the statement, in our words.
S11 is what all refusals have in common; S15 names further reading.
"""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from workers.article.findings import Finding, Notes
from workers.article.laboratory import SERVER_DN, Laboratory, UnfitServerError
from workers.mapi import properties as props
from workers.mapi.buffers import NO_HANDLE, decode_response_buffer, encode_request_buffer
from workers.mapi.failures import failure
from workers.mapi.hresults import ErrorCode, MapiError
from workers.mapi.profile import ConnectFlags
from workers.mapi.rops import LOGON_PRIVATE, LogonRequest, OpenFolderRequest
from workers.mapi.session import OWNER
from workers.mapi.subsystem import LogonFlags, mapi_initialize, mapi_logon_ex, mapi_uninitialize
from workers.mapi.transport import ConnectionLost, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.mailbox import Mailbox
    from workers.mapi.folders import MsgStore
    from workers.mapi.interfaces import Interface
    from workers.mapi.session import Session

SEPARATE = ConnectFlags.USE_SEPARATE_CONNECTION

#: Mailboxes that S10 opens with one connection and with a connection each, if as many can be, and with a connection each
#: alone; and those that S7 goes through.
COMPARED, BEYOND, GONE_THROUGH = 250, 300, 600

#: Values of one byte.
BYTE = 2**8


def s1(lab: Laboratory) -> Notes:
    """A process that tries to have more than 255 mailboxes open may get an error."""
    notes = Notes("open as many mailboxes as one session holds, and one more")
    with lab.session() as session:
        notes.figure("mailboxes open", len(lab.fill(session)))
        opened = notes.call("OpenMsgStore, one more", lambda: session.open_msg_store(lab.dn(lab.capacity)))
    notes.expect(that=opened is None, otherwise="one more was opened")
    return notes


def s2(lab: Laboratory) -> Notes:
    """A mailbox is opened with OpenMsgStore or with HrMailboxLogon; each gives S_OK and a valid IMsgStore."""
    notes = Notes("open a mailbox either way, and read its folders")
    _take_two(lab)
    with lab.session() as session:
        first = notes.call("OpenMsgStore", lambda: session.open_msg_store(lab.dn(0)))
        notes.expect_answer("S_OK")
        if first is not None:
            second = notes.call("HrMailboxLogon", lambda: session.hr_mailbox_logon(first, SERVER_DN, lab.dn(1)))
            notes.expect_answer("S_OK")
            for way, store in (("OpenMsgStore", first), ("HrMailboxLogon", second)):
                folders = 0 if store is None else _folders(store)
                notes.figure(f"folders read by way of {way}", folders)
                notes.expect(that=folders > 0, otherwise=f"{way} gave a store that shows no folder")
    return notes


def s3(lab: Laboratory) -> Notes:
    """At the ceiling OpenMsgStore answers MAPI_E_FAILONEPROVIDER."""
    notes = Notes("open one mailbox more than the session holds")
    with lab.session() as session:
        lab.fill(session)
        notes.call("OpenMsgStore, one more", lambda: session.open_msg_store(lab.dn(lab.capacity)))
    notes.expect_answer("MAPI_E_FAILONEPROVIDER", "NO_FREE_LOGON_INDEX")
    return notes


def s4(lab: Laboratory) -> Notes:
    """At the ceiling HrMailboxLogon answers MAPI_E_CALL_FAILED."""
    notes = Notes("log on to one mailbox more than the session holds, by way of the first")
    with lab.session() as session:
        default, *_ = lab.fill(session)
        more = lab.dn(lab.capacity)
        notes.call("HrMailboxLogon, one more", lambda: session.hr_mailbox_logon(default, SERVER_DN, more))
    notes.expect_answer("MAPI_E_CALL_FAILED", "NO_FREE_LOGON_INDEX")
    return notes


def s5(lab: Laboratory) -> Notes:
    """One byte holds the index of the logon object; so a session in a process has at most 255 logons."""
    notes = Notes("fill a session, look at the logon indexes, and open a mailbox in a second session")
    with lab.session() as session, lab.session() as elsewhere:
        indexes = [store.logon.index for store in lab.fill(session)]
        other = elsewhere.open_msg_store(lab.dn(lab.capacity)).logon.index
    notes.figure("logons", len(indexes))
    notes.figure("lowest index", min(indexes))
    notes.figure("highest index", max(indexes))
    notes.figure("first index of a second session", other)
    notes.expect(that=len(set(indexes)) == lab.capacity <= BYTE - 1, otherwise="the indexes are not one each")
    notes.expect(that=max(indexes) < BYTE - 1, otherwise="an index does not fit, or is the one that is never issued")
    notes.expect(that=other == min(indexes), otherwise="a second session does not begin with a table of its own")
    return notes


def s6(lab: Laboratory) -> Notes:
    """The real ceiling can be lower, because some index values are reserved."""
    notes = Notes("fill sessions in which some index values are reserved")
    for reserved in (frozenset({0}), frozenset(range(5)), frozenset({0, 17, 254})):
        with lab.session(reserved=reserved) as session:
            stores = _open_all(session, lab)
            used = {store.logon.index for store in stores}
        notes.figure(f"mailboxes open, {len(reserved)} reserved", len(stores))
        notes.expect(
            that=len(stores) == BYTE - 1 - len(reserved) and not used & reserved,
            otherwise=f"with {sorted(reserved)} reserved, {len(stores)} were opened",
        )
    return notes


def s7(lab: Laboratory) -> Notes:
    """Way 1a: log on to one mailbox, work, release, go on to the next; the ceiling is never reached."""
    notes = Notes(f"open, read and release {GONE_THROUGH} mailboxes one after the other")
    indexes = set()
    with lab.session() as session:
        for number in range(GONE_THROUGH):
            with session.open_msg_store(lab.dn(number % len(lab.addresses))) as store:
                indexes.add(store.logon.index)
                notes.expect(that=_folders(store) > 0, otherwise=f"mailbox {number} shows no folder")
    notes.figure("mailboxes", GONE_THROUGH)
    notes.figure("logon indexes used", len(indexes))
    notes.expect(that=len(indexes) == 1, otherwise="more than one index was used")
    return notes


def s8(lab: Laboratory) -> Notes:
    """The index value of a released mailbox is used again."""
    notes = Notes("fill a session, release one mailbox in the middle, and open another one")
    with lab.session() as session:
        stores = lab.fill(session)
        middle = stores[len(stores) // 2]
        freed = middle.logon.index
        middle.release()
        again = notes.call("OpenMsgStore", lambda: session.open_msg_store(lab.dn(lab.capacity)))
        used = -1 if again is None else again.logon.index
    notes.figure("index released", freed)
    notes.figure("index used", used)
    notes.expect(that=used == freed, otherwise=f"index {freed} was released, and {used} was used")
    return notes


def s10(lab: Laboratory) -> Notes:
    """Way 2: CONNECT_USE_SEPARATE_CONNECTION, one connection per logon. It works, is inefficient and not recommended."""
    _take_two(lab)
    compared = min(COMPARED, lab.capacity)
    notes = Notes(f"open {compared} mailboxes with and without the flag, then more than 255 with it")
    with lab.session(SEPARATE) as session:
        beyond = len(lab.open(session, BEYOND))
    notes.figure("mailboxes open with the flag", beyond)
    costs = [_cost(lab, flags, compared) for flags in (ConnectFlags(0), SEPARATE)]
    for what, unit, place in (
        ("connections", "", 0),
        ("round trips", "", 1),
        ("time", "ms CPU", 2),
        ("memory", "KiB", 3),
    ):
        for words, cost in zip(("without", "with"), costs, strict=True):
            notes.figure(f"{what}, {words} the flag", cost[place], unit)
    (one, few, _, small), (many, most, _, large) = costs
    notes.expect(that=beyond == BEYOND, otherwise="the ceiling was not lifted")
    notes.expect(that=one == 1 and many == compared, otherwise=f"{one} and {many} connections were made")
    notes.expect(that=most >= few and large > small, otherwise="it took no more than one connection does")
    return notes


def s11(lab: Laboratory) -> Notes:
    """The behaviour is by design: the client refuses by its own table, and the server hears nothing of it."""
    notes = Notes("have both calls refused at the ceiling, and count what reaches the server meanwhile")
    with lab.session() as session:
        default, *_ = lab.fill(session)
        before, more = lab.wire.round_trips, lab.dn(lab.capacity)
        notes.call("OpenMsgStore, one more", lambda: session.open_msg_store(more))
        notes.call("HrMailboxLogon, one more", lambda: session.hr_mailbox_logon(default, SERVER_DN, more))
        notes.figure("round trips of the refusals", lab.wire.round_trips - before)
        notes.expect(that=lab.wire.round_trips == before, otherwise="the server was asked")
    notes.expect(that=all(answer.name != "S_OK" for answer in notes.answers), otherwise="one more was opened")
    return notes


def s12(lab: Laboratory) -> Notes:
    """A loop that releases each store still reaches the ceiling when it leaks: IMAPITable, IMAPIFolder, IMessage."""
    notes = Notes("release each store, but not an IMAPITable, an IMAPIFolder or an IMessage of it")
    more, dns = lab.dn(lab.capacity), [lab.dn(number) for number in range(lab.capacity)]
    for kind, opened in (("IMAPITable", dns), ("IMAPIFolder", dns), ("IMessage", [_with_mail(lab)] * lab.capacity)):
        with lab.session() as session:
            for dn in opened:
                with session.open_msg_store(dn) as store:
                    _leak(kind, store)
            notes.call(f"OpenMsgStore, after {lab.capacity} leaks of {kind}", lambda: session.open_msg_store(more))
            notes.expect_answer("MAPI_E_FAILONEPROVIDER", "NO_FREE_LOGON_INDEX")
            left = session.leftovers()
        notes.figure(f"{kind} left", sum(each.interfaces for each in left))
        notes.expect(that={each.kind for each in left} == {kind}, otherwise=f"other things than {kind} were left")
    return notes


def s13(lab: Laboratory) -> Notes:
    """In such a loop every interface is released in the reverse of the order in which it was obtained."""
    notes = Notes(f"release four interfaces a mailbox in reverse, {lab.capacity + 45} mailboxes one after the other")
    with lab.session() as session:
        for number in range(lab.capacity + 45):
            store = session.open_msg_store(lab.dn(number))
            folder = store.open_folder(store.folder_ids.ipm_subtree)
            obtained: list[Interface] = [store, folder, folder.get_hierarchy_table(), folder.get_contents_table()]
            for interface in reversed(obtained):
                interface.release()
        left = session.leftovers()
    notes.figure("mailboxes", lab.capacity + 45)
    notes.figure("interfaces left", sum(each.interfaces for each in left))
    notes.expect(that=not left, otherwise="something was left")
    return notes


def s14(lab: Laboratory) -> Notes:
    """MAPIUninitialize invalidates and recovers all outstanding interfaces and memory."""
    notes = Notes("fill a session with leaks, uninitialize MAPI, and fill another session")
    mapi_initialize()
    session = mapi_logon_ex(lab.profile, LogonFlags.NEW_SESSION)
    lost = [_leak("IMAPITable", store) for store in lab.fill(session)]
    found = mapi_uninitialize()
    notes.figure("interfaces recovered", sum(each.interfaces for each in found))
    notes.call("IMAPITable::QueryRows, after it", lost[0].check)
    notes.expect_answer("MAPI_E_INVALID_OBJECT")
    with lab.session() as again:
        notes.figure("mailboxes open afterwards", len(lab.fill(again)))
    notes.expect(that=notes.figures[0].value == 2 * lab.capacity, otherwise="not all interfaces were found")
    return notes


def wire(lab: Laboratory) -> Notes:
    """Without a client's table: a LogonId that is used twice replaces the first logon in silence, and breaks its handles."""
    notes = Notes(
        f"send RopLogon {BYTE + 1} times on one connection with LogonIds that wrap around, then use the first logon"
    )
    lab.dn(BYTE)
    context = lab.wire.connect(lab.profile.user_dn)
    try:
        logons = [_log_on(lab, context, number) for number in range(BYTE + 1)]
        first, folder = logons[0][1], logons[0][0].folder_ids.ipm_subtree
        notes.call("RopOpenFolder with the handle of the first logon", lambda: _use(lab, context, first, folder))
    finally:
        lab.wire.disconnect(context)
    granted = sum(response.return_value == 0 for response, _ in logons)
    notes.figure("logons answered with success", granted)
    notes.expect(that=granted == BYTE + 1, otherwise=f"{BYTE + 1 - granted} logons were refused")
    notes.expect(that=notes.answers[-1].name != "S_OK", otherwise="the first logon still works")
    return notes


def together(mailbox: Mailbox) -> list[int]:
    """How many mailboxes are open in this process at this moment, and which logon index this one has."""
    logon = mailbox.store.logon
    return [len(logon.connection.logons), logon.index]


def held_together(open_at_once: list[int], highest: int, workers: int, wanted: int) -> Notes:
    """Way 1b: spawn subprocesses that each take a portion; together they have every mailbox open at the same time.

    `open_at_once`: of each mailbox, how many its process had open when it was asked; `highest`: the highest index of them.
    """
    notes = Notes(f"hold {wanted:,} mailboxes open over as many processes as that takes, and ask each of them")
    notes.figure("mailboxes open at the same time", len(open_at_once))
    notes.figure("processes", workers)
    notes.figure("most in one process", max(open_at_once, default=0))
    notes.figure("highest logon index", highest)
    notes.expect(that=len(open_at_once) == wanted, otherwise=f"{len(open_at_once)} of {wanted} were open")
    notes.expect(that=max(open_at_once, default=0) < BYTE, otherwise="a process passed the ceiling")
    notes.expect(that=workers > 1, otherwise="one process held them all")
    return notes


#: The experiments by the number of their statement. S9 takes processes, and so is not among them: see `held_together`.
STATEMENTS: dict[str, Callable[[Laboratory], Notes]] = {
    "S1": s1,
    "S2": s2,
    "S3": s3,
    "S4": s4,
    "S5": s5,
    "S6": s6,
    "S7": s7,
    "S8": s8,
    "S10": s10,
    "S11": s11,
    "S12": s12,
    "S13": s13,
    "S14": s14,
    "wire": wire,
}


def try_statement(name: str, lab: Laboratory) -> Finding:
    """Run one experiment. What keeps it from being run to its end is a finding, too."""
    experiment = STATEMENTS[name]
    says = (experiment.__doc__ or "").strip()
    try:
        return experiment(lab).finding(name, says)
    except (MapiError, UnfitServerError, ConnectionLost, RpcError) as error:
        return not_tried(name, says, error)


def not_tried(name: str, says: str, error: Exception) -> Finding:
    """The finding about a statement that could not be tried."""
    return Finding(name, says, "could not be tried to its end", [], [], holds=None, why=str(error))


def _take_two(lab: Laboratory) -> None:
    """Raises UnfitServerError where a session can't hold two mailboxes at a time."""
    if lab.capacity < 2:
        raise UnfitServerError("it takes two mailboxes open at a time, and one session holds one")


def _folders(store: MsgStore) -> int:
    """Folders at the top of the mailbox, read through a table."""
    with store.open_folder(store.folder_ids.ipm_subtree) as top, top.get_hierarchy_table() as table:
        table.set_columns((props.PR_DISPLAY_NAME_W,))
        return len(table.query_rows(100))


def _open_all(session: Session, lab: Laboratory) -> list[MsgStore]:
    """Open mailboxes until there is no index for one more. Raises MapiError for whatever else is wrong."""
    stores: list[MsgStore] = []
    while True:
        try:
            stores.append(session.open_msg_store(lab.dn(len(stores))))
        except MapiError as error:
            if error.low_level_error != ErrorCode.NO_FREE_LOGON_INDEX:
                raise
            return stores


def _leak(kind: str, store: MsgStore) -> Interface:
    """Something obtained from the store, with all that led to it released. Raises UnfitServerError where there is no message."""
    if kind == "IMAPIFolder":
        return store.open_folder(store.folder_ids.ipm_subtree)
    if kind == "IMAPITable":
        with store.open_folder(store.folder_ids.ipm_subtree) as top:
            return top.get_contents_table()
    filled = _filled_folder(store)
    if filled is None:
        raise UnfitServerError(f"it takes a message, and {store.mailbox_dn} has none")
    with store.open_folder(filled) as folder, folder.get_contents_table() as contents:
        contents.set_columns((props.PR_MID,))
        [[message_id]] = contents.query_rows(1)
        return folder.open_message(message_id)


def _with_mail(lab: Laboratory) -> str:
    """The DN of the first mailbox that has a message. Raises UnfitServerError."""
    with lab.session() as session:
        for number in range(len(lab.addresses)):
            with session.open_msg_store(lab.dn(number)) as store:
                if _filled_folder(store) is not None:
                    return store.mailbox_dn
    raise UnfitServerError(f"it takes a message, and none of {len(lab.addresses):,} mailboxes has one")


def _filled_folder(store: MsgStore) -> int | None:
    """The id of a folder at the top that holds mail, or None."""
    with store.open_folder(store.folder_ids.ipm_subtree) as top, top.get_hierarchy_table() as table:
        table.set_columns((props.PR_FID, props.PR_CONTENT_COUNT))
        return next((folder_id for folder_id, messages in table.query_rows(100) if messages), None)


def _cost(lab: Laboratory, flags: ConnectFlags, count: int) -> tuple[int, int, float, float]:
    """Of `count` mailboxes that are open together: connections, round trips, milliseconds of CPU, KiB of memory.

    Memory is what Python has allocated since (tracemalloc), measured in a pass of its own, because that takes time. Where the
    server is simulated, its side is in this process, too.
    """
    before = (lab.wire.connections, lab.wire.round_trips)
    begun = time.process_time()
    with lab.session(flags) as session:
        lab.open(session, count)
        spent = time.process_time() - begun
        made = (lab.wire.connections - before[0], lab.wire.round_trips - before[1])
    tracemalloc.start()
    with lab.session(flags) as session:
        kept = lab.open(session, count)
        memory, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kept.clear()
    return (*made, round(1000 * spent, 1), round(memory / 1024))


def _log_on(lab: Laboratory, context: int, number: int) -> tuple[Any, int]:
    """RopLogon with no table beside it: the response, and the handle."""
    request = LogonRequest(number % BYTE, 0, LOGON_PRIVATE, OWNER, 0, lab.dn(number))
    reply = lab.wire.execute(context, encode_request_buffer([request], [NO_HANDLE]))
    responses, handles = decode_response_buffer(reply, [request], None)
    return responses[0], handles[0]


def _use(lab: Laboratory, context: int, handle: int, folder_id: int) -> None:
    """Open a folder with the handle of a logon. Raises MapiError."""
    request = OpenFolderRequest(0, 0, 1, folder_id, 0)
    reply = lab.wire.execute(context, encode_request_buffer([request], [handle, NO_HANDLE]))
    responses: list[Any] = list(decode_response_buffer(reply, [request], None)[0])
    if responses[0].return_value:
        raise failure(responses[0].return_value, "RopOpenFolder")
