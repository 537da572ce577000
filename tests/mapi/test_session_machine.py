"""Whatever is opened and released, in whatever order: the client's table and the server's agree.

The model is a list of trees of interfaces. From it follows which logon indexes are in use, and which handles the
server must have: those of every interface below which something is not released.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workers.causes import Cause
from workers.mapi import Folder, LogonFlags, MapiError, MsgStore, Profile, Table
from workers.mapi.interfaces import Interface
from workers.mapi.listing import list_folders
from workers.mapi.logons import MAX_LOGONS
from workers.mapi.subsystem import Subsystem
from workers.simulated.server import simulated_server
from workers.simulated.stores import mailbox_dn

#: Few indexes, with a gap, so that the table is often full.
ISSUED = frozenset({0, 2, 3, 5})
RESERVED = frozenset(range(MAX_LOGONS)) - ISSUED


@dataclass
class Node:
    """An interface, and what was obtained through it."""

    interface: Interface
    inbox: int  # of the store that it belongs to
    released: bool = False
    children: list[Node] = field(default_factory=list)

    def alive(self) -> list[Node]:
        """The nodes from here down that have their server object: something at or below them is not released."""
        below = [node for child in self.children for node in child.alive()]
        return [self, *below] if below or not self.released else []

    def unreleased(self) -> list[Node]:
        below = [node for child in self.children for node in child.unreleased()]
        return below if self.released else [self, *below]


class SessionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.server = simulated_server("sim:50?folders=2&messages=4")
        self.subsystem = Subsystem()
        self.subsystem.initialize()
        profile = Profile("machine", self.server, mailbox_dn("admin"), self.server, reserved=RESERVED)
        self.session = self.subsystem.logon(profile, LogonFlags.NEW_SESSION)
        [self.connection] = self.session.provider.connections()
        self.stores: list[Node] = []

    def indexes(self) -> set[int]:
        return {store.interface.logon.index for store in self.stores if store.alive()}

    def open_nodes(self, *kinds: type[Interface]) -> list[Node]:
        nodes = [node for store in self.stores for node in store.unreleased()]
        return [node for node in nodes if isinstance(node.interface, kinds or Interface)]

    @rule(ordinal=st.integers(0, 49))
    def open_mailbox(self, ordinal: int) -> None:
        dn = mailbox_dn(self.server.population.address(ordinal))
        free = ISSUED - self.indexes()
        spent = self.server.round_trips
        if free:
            store = self.session.open_msg_store(dn)
            self.stores.append(Node(store, store.folder_ids.inbox))
            assert store.logon.index == min(free)
        else:
            with pytest.raises(MapiError) as caught:
                self.session.open_msg_store(dn)
            assert (caught.value.cause, self.server.round_trips) == (Cause.LOGONS, spent)

    @rule()
    def open_a_mailbox_that_is_not_there(self) -> None:
        with pytest.raises(MapiError) as caught:
            self.session.open_msg_store(mailbox_dn("nobody"))
        assert caught.value.cause is (Cause.MISSING if ISSUED - self.indexes() else Cause.LOGONS)

    @precondition(lambda self: self.open_nodes(MsgStore, Folder))
    @rule(data=st.data())
    def open_a_folder(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(self.open_nodes(MsgStore, Folder)))
        opener = node.interface
        assert isinstance(opener, MsgStore | Folder)
        node.children.append(Node(opener.open_folder(node.inbox), node.inbox))

    @precondition(lambda self: self.open_nodes(MsgStore, Folder))
    @rule(data=st.data())
    def open_a_folder_that_is_not_there(self, data: st.DataObject) -> None:
        opener = data.draw(st.sampled_from(self.open_nodes(MsgStore, Folder))).interface
        assert isinstance(opener, MsgStore | Folder)
        with pytest.raises(MapiError) as caught:
            opener.open_folder(0xABC0_0000_0000_0001)
        assert caught.value.cause is Cause.MISSING

    @precondition(lambda self: self.open_nodes(Folder))
    @rule(data=st.data())
    def open_a_table(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(self.open_nodes(Folder)))
        folder = node.interface
        assert isinstance(folder, Folder)
        table = data.draw(st.sampled_from([folder.get_hierarchy_table, folder.get_contents_table]))()
        node.children.append(Node(table, node.inbox))

    @precondition(lambda self: self.open_nodes(MsgStore))
    @rule(data=st.data())
    def list_the_folders(self, data: st.DataObject) -> None:
        store = data.draw(st.sampled_from(self.open_nodes(MsgStore))).interface
        assert isinstance(store, MsgStore)
        assert list_folders(store)

    @precondition(lambda self: self.open_nodes())
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(self.open_nodes()))
        node.interface.release()
        node.released = True

    @precondition(lambda self: any(store.released for store in self.stores))
    @rule(data=st.data())
    def release_again(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([store for store in self.stores if store.released])).interface.release()

    @precondition(lambda self: self.open_nodes(Table))
    @rule(data=st.data())
    def use_after_release(self, data: st.DataObject) -> None:
        node = data.draw(st.sampled_from(self.open_nodes(Table)))
        node.interface.release()
        node.released = True
        with pytest.raises(MapiError, match="INVALID_OBJECT"):
            node.interface.check()

    @precondition(lambda self: self.open_nodes(MsgStore))
    @rule(data=st.data())
    def lose_the_connection(self, data: st.DataObject) -> None:
        store = data.draw(st.sampled_from(self.open_nodes(MsgStore))).interface
        assert isinstance(store, MsgStore)
        self.server.disconnect(self.server.connections)
        with pytest.raises(MapiError) as caught:
            list_folders(store)
        assert caught.value.cause is Cause.UNREACHABLE
        for node in self.open_nodes():
            with pytest.raises(MapiError, match="NETWORK_ERROR"):
                node.interface.check()
            node.interface.release()
        self.stores.clear()

    @rule()
    def send_the_releases(self) -> None:
        self.connection.flush()

    @invariant()
    def the_clients_table_is_what_is_open(self) -> None:
        assert set(self.connection.indexes) == set(self.connection.logons) == self.indexes()

    @invariant()
    def the_servers_table_is_what_is_open_and_what_waits_to_be_released(self) -> None:
        logons = [store for store in self.stores if store.alive()]
        wanted = {(store.interface.logon.index, node.interface.handle) for store in logons for node in store.alive()}
        waiting = set(self.connection.waiting)

        assert not wanted & waiting
        assert self.handles_on_the_server() == wanted | waiting

    def teardown(self) -> None:
        open_at_the_end = sum(len(store.unreleased()) for store in self.stores)

        assert sum(leftover.interfaces for leftover in self.subsystem.uninitialize()) == open_at_the_end
        assert self.handles_on_the_server() == set()

    def handles_on_the_server(self) -> set[tuple[int, int]]:
        contexts = self.server._contexts.values()
        logons = [pair for context in contexts for pair in context.connection.logons.items()]
        return {(logon_id, handle) for logon_id, logon in logons for handle in logon.objects}


TestSession = SessionMachine.TestCase
TestSession.settings = settings(max_examples=100, stateful_step_count=30, derandomize=True, deadline=None)


class LongSessionMachine(SessionMachine):
    """The same, for longer."""


TestSessionAtLength = pytest.mark.long(LongSessionMachine.TestCase)
TestSessionAtLength.settings = settings(max_examples=2000, stateful_step_count=80, derandomize=True, deadline=None)
