"""A MAPI client without I/O: it encodes and decodes ROP buffers and leaves their carriage to a transport.

The article's own interfaces, under MAPI's names turned to Python's spelling.
"""

from workers.mapi.connection import Leftover
from workers.mapi.folders import Folder, MsgStore
from workers.mapi.hresults import ErrorCode, HResult, MapiError
from workers.mapi.messages import Message, Stream
from workers.mapi.profile import ConnectFlags, OpenStoreFlags, Profile
from workers.mapi.provider import StoreEntryId
from workers.mapi.session import Session
from workers.mapi.subsystem import LogonFlags, mapi_initialize, mapi_logon_ex, mapi_uninitialize
from workers.mapi.tables import Bookmark, Order, Table, TableFlags

__all__ = [
    "Bookmark",
    "ConnectFlags",
    "ErrorCode",
    "Folder",
    "HResult",
    "Leftover",
    "LogonFlags",
    "MapiError",
    "Message",
    "MsgStore",
    "OpenStoreFlags",
    "Order",
    "Profile",
    "Session",
    "StoreEntryId",
    "Stream",
    "Table",
    "TableFlags",
    "mapi_initialize",
    "mapi_logon_ex",
    "mapi_uninitialize",
]
