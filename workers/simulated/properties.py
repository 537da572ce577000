"""The properties of single objects: what RopGetPropertiesSpecific and RopOpenStream read of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from workers.mapi import properties as props
from workers.mapi.hresults import HResult
from workers.mapi.properties import PropertyError, PropertyType, Row, property_type
from workers.simulated.columns import FOLDER_FIELDS, MESSAGE_FIELDS, object_cells, picks_of
from workers.simulated.mime import body_text, header_text
from workers.simulated.objects import Folder, Logon, Message, RopFailure, code_of
from workers.simulated.stores import mailbox_dn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.simulated.columns import Pick

_TOO_LARGE = PropertyError(HResult.MAPI_E_NOT_ENOUGH_MEMORY)


def property_row(subject: object, tags: tuple[int, ...], room: int, limit: int) -> Row:
    """The values of the properties; one that is too long is MAPI_E_NOT_ENOUGH_MEMORY, and can be had as a stream.

    `room`: bytes for all text and binary values. `limit`: bytes of one of them, 0 for no limit of the client's.
    Raises RopFailure, NO_SUPPORT, for an object that has no properties.
    """
    cells = []
    for cell in object_cells(_picks(subject), subject, tags):
        size = _octets(cell)
        if size > room or 0 < limit < size:
            cells.append(_TOO_LARGE)
        else:
            room -= size
            cells.append(cell)
    return tuple(cells)


def stream_of(subject: object, tag: int) -> bytes:
    """A property's value as the bytes of a stream: text without its NUL.

    Raises RopFailure: NOT_FOUND, NO_SUPPORT for a value that is no text and not binary, or the reason why the
    value can't be read.
    """
    [value] = object_cells(_picks(subject), subject, (tag,))
    match value:
        case PropertyError():
            raise RopFailure(value.code)
        case bytes():
            return value
        case str() if property_type(tag) == PropertyType.STRING8:
            return value.encode("cp1252", "replace")
        case str():
            return value.encode("utf-16-le", "surrogatepass")
        case _:
            raise RopFailure(HResult.MAPI_E_NO_SUPPORT)


def _octets(cell: object) -> int:
    match cell:
        case str():
            return 2 * len(cell)
        case bytes():
            return len(cell)
        case _:
            return 0


def _picks(subject: object) -> Mapping[int, Pick]:
    try:
        return _PICKS[type(subject)]
    except KeyError:
        raise RopFailure(HResult.MAPI_E_NO_SUPPORT) from None


def _of_facts(pick: Pick) -> Pick:
    return lambda subject: pick(subject.facts)


def _of_store(logon: Logon, field: str) -> int | None:
    return None if logon.locked else sum(getattr(facts, field) for facts in logon.subtree)


def _of_content(read: Callable[[bytes], str | bytes]) -> Pick:
    """A property that is made from the whole text of a message, or says why that can't be read."""

    def pick(message: Message) -> Any:  # noqa: ANN401 - a cell
        try:
            return read(message.content)
        except OSError as error:
            return PropertyError(code_of(error))

    return pick


_PICKS: dict[type, dict[int, Pick]] = {
    Logon: {
        props.PR_MAILBOX_OWNER_NAME_W: lambda logon: logon.mailbox.display_name,
        props.PR_EMAIL_ADDRESS_W: lambda logon: mailbox_dn(logon.mailbox.address),
        props.PR_CONTENT_COUNT: partial(_of_store, field="message_count"),
        props.PR_CONTENT_UNREAD: partial(_of_store, field="unread_count"),
        props.PR_MESSAGE_SIZE_EXTENDED: partial(_of_store, field="size"),
        props.PR_MESSAGE_SIZE: lambda logon: min(_of_store(logon, "size") or 0, 2**31 - 1),
    },
    Folder: {tag: _of_facts(pick) for tag, pick in picks_of(FOLDER_FIELDS).items()},
    Message: {
        **{tag: _of_facts(pick) for tag, pick in picks_of(MESSAGE_FIELDS).items()},
        props.PR_TRANSPORT_MESSAGE_HEADERS_W: _of_content(header_text),
        props.PR_BODY_W: _of_content(body_text),
        props.PR_INTERNET_CONTENT: _of_content(bytes),
    },
}
