"""From facts to cells: which property finds which field, compiled once a column set.

A property that nothing has is a cell with MAPI_E_NOT_FOUND, as on the recorded server; so is one that this
object does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from workers.mapi import properties as props
from workers.mapi.hresults import HResult
from workers.mapi.properties import PropertyError, PropertyType, TypedValue, property_type
from workers.simulated.stores import FolderFacts, MessageFacts

#: What an object is described by: FolderFacts, MessageFacts, or a dict of tag and value.
Facts = tuple[Any, ...]
Pick = Callable[[Any], Any]

#: Characters of a string in a table; the whole value is had from the object ([MS-OXCTABL] 2.2.1).
MOST_CHARACTERS = 254

#: PR_MESSAGE_FLAGS: the message was read ([MS-OXCMSG] 2.2.1.6).
_FLAG_READ = 0x01
_MOST_LONG = 2**31 - 1

_NOT_FOUND = PropertyError(HResult.MAPI_E_NOT_FOUND)


class Fields(NamedTuple):
    """Where the properties of one kind of facts are found."""

    #: The place of a field that is there for all, is the cell as it stands, and is no long string.
    certain: Mapping[int, int]
    #: What finds any other cell; None where the object has no such property.
    others: Mapping[int, Pick]


def _field(kind: type[FolderFacts | MessageFacts], name: str) -> int:
    return kind._fields.index(name)


def _long_size(facts: FolderFacts | MessageFacts) -> int:
    return min(facts.size, _MOST_LONG)


FOLDER_FIELDS = Fields(
    {
        props.PR_FID: _field(FolderFacts, "folder_id"),
        props.PR_PARENT_FID: _field(FolderFacts, "parent_id"),
        props.PR_DISPLAY_NAME_W: _field(FolderFacts, "name"),
        props.PR_CONTENT_COUNT: _field(FolderFacts, "message_count"),
        props.PR_CONTENT_UNREAD: _field(FolderFacts, "unread_count"),
        props.PR_MESSAGE_SIZE_EXTENDED: _field(FolderFacts, "size"),
        props.PR_DEPTH: _field(FolderFacts, "depth"),
        props.PR_SUBFOLDERS: _field(FolderFacts, "has_subfolders"),
        props.PR_FOLDER_TYPE: _field(FolderFacts, "folder_type"),
        props.PR_CONTAINER_CLASS_W: _field(FolderFacts, "container_class"),
    },
    {
        props.PR_MESSAGE_SIZE: _long_size,
        props.PR_ASSOC_CONTENT_COUNT: lambda facts: 0,  # noqa: ARG005 - nobody has any
        props.PR_LOCAL_COMMIT_TIME_MAX: lambda facts: facts.newest,
    },
)

MESSAGE_FIELDS = Fields(
    {
        props.PR_MID: _field(MessageFacts, "message_id"),
        props.PR_FID: _field(MessageFacts, "folder_id"),
        props.PR_PARENT_FID: _field(MessageFacts, "folder_id"),
        props.PR_MESSAGE_SIZE_EXTENDED: _field(MessageFacts, "size"),
    },
    {
        props.PR_MESSAGE_SIZE: _long_size,
        props.PR_SUBJECT_W: lambda facts: facts.subject,
        props.PR_NORMALIZED_SUBJECT_W: lambda facts: facts.subject,
        props.PR_SENDER_NAME_W: lambda facts: facts.sender_name,
        props.PR_SENDER_EMAIL_ADDRESS_W: lambda facts: facts.sender_address,
        props.PR_SENDER_SMTP_ADDRESS_W: lambda facts: facts.sender_address,
        props.PR_SENDER_ADDRTYPE_W: lambda facts: facts.sender_address and "SMTP",
        props.PR_SENT_REPRESENTING_NAME_W: lambda facts: facts.sender_name,
        props.PR_SENT_REPRESENTING_EMAIL_ADDRESS_W: lambda facts: facts.sender_address,
        props.PR_SENT_REPRESENTING_SMTP_ADDRESS_W: lambda facts: facts.sender_address,
        props.PR_SENT_REPRESENTING_ADDRTYPE_W: lambda facts: facts.sender_address and "SMTP",
        props.PR_MESSAGE_DELIVERY_TIME: lambda facts: facts.delivered,
        props.PR_CLIENT_SUBMIT_TIME: lambda facts: facts.delivered,
        props.PR_MESSAGE_FLAGS: lambda facts: _FLAG_READ if facts.read else 0,
        props.PR_INTERNET_MESSAGE_ID_W: lambda facts: facts.internet_message_id,
        props.PR_MESSAGE_CLASS_W: lambda facts: "IPM.Note",  # noqa: ARG005 - all mail is of one class
        props.PR_IMPORTANCE: lambda facts: 1,  # noqa: ARG005 - normal
    },
)


@lru_cache(maxsize=256)
def folder_cells(tags: tuple[int, ...]) -> Callable[[FolderFacts], Facts]:
    """What makes a row of these columns out of FolderFacts."""
    return _cells(FOLDER_FIELDS, tags)


@lru_cache(maxsize=256)
def message_cells(tags: tuple[int, ...]) -> Callable[[MessageFacts], Facts]:
    """What makes a row of these columns out of MessageFacts."""
    return _cells(MESSAGE_FIELDS, tags)


def object_cells(values: Mapping[int, Pick], subject: object, tags: tuple[int, ...]) -> Facts:
    """The row of these properties of one object, not cut anywhere. Raises what a Pick raises."""
    fields = Fields({}, values)
    return tuple(pick(subject) for pick in _picks(fields, tags))


def picks_of(fields: Fields) -> dict[int, Pick]:
    """Every property of these facts with what finds it."""
    return {**{tag: itemgetter(place) for tag, place in fields.certain.items()}, **fields.others}


def _cells(fields: Fields, tags: tuple[int, ...]) -> Callable[[Any], Facts]:
    """Rows of a table. When all columns are certain and there are several, one itemgetter makes the row."""
    if len(tags) > 1 and all(tag in fields.certain for tag in tags):
        return itemgetter(*(fields.certain[tag] for tag in tags))
    picks = tuple(map(_shortened, _picks(fields, tags)))
    return lambda facts: tuple([pick(facts) for pick in picks])


def _shortened(pick: Pick) -> Pick:
    def shortened(facts: Any) -> Any:  # noqa: ANN401 - a cell is of any type
        cell = pick(facts)
        return cell[:MOST_CHARACTERS] if isinstance(cell, str) else cell

    return shortened


def _picks(fields: Fields, tags: tuple[int, ...]) -> Iterator[Pick]:
    known = picks_of(fields)
    for tag in tags:
        yield _found(_pick(known, tag))


def _pick(known: Mapping[int, Pick], tag: int) -> Pick:
    """The pick of a tag, also when it wants a string in 8 bits, or leaves the type to us."""
    if tag in known:
        return known[tag]
    kind, number = property_type(tag), tag >> 16 << 16
    if kind == PropertyType.STRING8 and number | PropertyType.STRING in known:
        wide = known[number | PropertyType.STRING]
        return lambda facts: _narrow(wide(facts))
    if kind == PropertyType.UNSPECIFIED:
        for candidate, pick in known.items():
            if candidate >> 16 == tag >> 16:
                return lambda facts: _typed(property_type(candidate), pick(facts))
    return lambda facts: None  # noqa: ARG005 - nothing has it


def _found(pick: Pick) -> Pick:
    def found(facts: Any) -> Any:  # noqa: ANN401 - a cell is of any type
        cell = pick(facts)
        return _NOT_FOUND if cell is None else cell

    return found


def _narrow(text: str | None) -> str | None:
    """What the 8-bit code page can hold of a text."""
    return text and text.encode("cp1252", "replace").decode("cp1252")


def _typed(kind: int, value: object) -> TypedValue | None:
    return None if value is None else TypedValue(kind, value)
