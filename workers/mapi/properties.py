"""Property tags that a logon, a census and a message export ask for; and the way to everything about properties.

A tag is an int: the property's number above, its type below (`property_type`). The W in a name is MAPI's mark
of a Unicode string; the names of [MS-OXPROPS] stand beside those that have no PR_ name.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workers.mapi.rows import Row, RowCodec, row_codec
from workers.mapi.values import PropertyError, PropertyType, TypedValue, property_type
from workers.mapi.wire import CodecError

__all__ = [
    "PropertyError",
    "PropertyType",
    "Row",
    "RowCodec",
    "TypedValue",
    "datetime_of",
    "filetime_of",
    "property_type",
    "row_codec",
]

# Of any object.
PR_ENTRYID = 0x0FFF0102
PR_INSTANCE_KEY = 0x0FF60102
PR_RECORD_KEY = 0x0FF90102
PR_OBJECT_TYPE = 0x0FFE0003
PR_DISPLAY_NAME_W = 0x3001001F
PR_EMAIL_ADDRESS_W = 0x3003001F
PR_COMMENT_W = 0x3004001F
PR_DEPTH = 0x30050003
PR_CREATION_TIME = 0x30070040
PR_LAST_MODIFICATION_TIME = 0x30080040
PR_LOCAL_COMMIT_TIME_MAX = 0x670A0040
PR_FID = 0x67480014  # PidTagFolderId
PR_PARENT_FID = 0x67490014  # PidTagParentFolderId
PR_MID = 0x674A0014  # PidTagMid

# Of a store, and of a row of the mailbox table.
PR_MAILBOX_OWNER_NAME_W = 0x661C001F
PR_MAILBOX_OWNER_ENTRYID = 0x661B0102
PR_USER_NAME_W = 0x661A001F
PR_STORE_ENTRYID = 0x0FFB0102
PR_MDB_PROVIDER = 0x34140102
PR_DEFAULT_STORE = 0x3400000B
PR_LAST_LOGON_TIME = 0x66A20040
PR_LAST_LOGOFF_TIME = 0x66A30040
PR_STORAGE_LIMIT_INFORMATION = 0x66A40003
PR_DELETED_MSG_COUNT = 0x66400003
PR_DELETED_MESSAGE_SIZE_EXTENDED = 0x669B0014
PR_QUOTA_WARNING_THRESHOLD = 0x67210003  # KiB; -1 where there is none
PR_QUOTA_SEND_THRESHOLD = 0x67220003
PR_QUOTA_RECEIVE_THRESHOLD = 0x67230003
PR_PROFILE_CONNECT_FLAGS = 0x66040003

# Of a folder.
PR_FOLDER_TYPE = 0x36010003
PR_CONTENT_COUNT = 0x36020003
PR_CONTENT_UNREAD = 0x36030003  # PidTagContentUnreadCount
PR_SUBFOLDERS = 0x360A000B
PR_CONTAINER_CLASS_W = 0x3613001F
PR_ASSOC_CONTENT_COUNT = 0x36170003
PR_MESSAGE_SIZE = 0x0E080003  # bytes; wraps at 4 GiB
PR_MESSAGE_SIZE_EXTENDED = 0x0E080014  # bytes

# Of a message.
PR_MESSAGE_CLASS_W = 0x001A001F
PR_IMPORTANCE = 0x00170003
PR_SUBJECT_W = 0x0037001F
PR_NORMALIZED_SUBJECT_W = 0x0E1D001F
PR_CLIENT_SUBMIT_TIME = 0x00390040
PR_SEARCH_KEY = 0x300B0102
PR_SENT_REPRESENTING_NAME_W = 0x0042001F
PR_SENT_REPRESENTING_ADDRTYPE_W = 0x0064001F
PR_SENT_REPRESENTING_EMAIL_ADDRESS_W = 0x0065001F
PR_SENT_REPRESENTING_SMTP_ADDRESS_W = 0x5D02001F
PR_SENDER_NAME_W = 0x0C1A001F
PR_SENDER_ADDRTYPE_W = 0x0C1E001F
PR_SENDER_EMAIL_ADDRESS_W = 0x0C1F001F
PR_SENDER_SMTP_ADDRESS_W = 0x5D01001F
PR_DISPLAY_BCC_W = 0x0E02001F
PR_DISPLAY_CC_W = 0x0E03001F
PR_DISPLAY_TO_W = 0x0E04001F
PR_MESSAGE_DELIVERY_TIME = 0x0E060040
PR_MESSAGE_FLAGS = 0x0E070003
PR_HASATTACH = 0x0E1B000B
PR_INTERNET_MESSAGE_ID_W = 0x1035001F
PR_IN_REPLY_TO_ID_W = 0x1042001F
PR_INTERNET_REFERENCES_W = 0x1039001F
PR_INTERNET_CPID = 0x3FDE0003
PR_TRANSPORT_MESSAGE_HEADERS_W = 0x007D001F
PR_BODY_W = 0x1000001F
PR_HTML = 0x10130102
PR_RTF_COMPRESSED = 0x10090102

# Of a recipient, and of an attachment.
PR_RECIPIENT_TYPE = 0x0C150003
PR_DISPLAY_TYPE = 0x39000003
PR_SMTP_ADDRESS_W = 0x39FE001F
PR_ATTACH_NUM = 0x0E210003
PR_ATTACH_SIZE = 0x0E200003
PR_ATTACH_DATA_BIN = 0x37010102
PR_ATTACH_METHOD = 0x37050003
PR_ATTACH_LONG_FILENAME_W = 0x3707001F
PR_ATTACH_MIME_TAG_W = 0x370E001F

#: The MIME form of a message, header first: the whole message as it came by SMTP, one binary property (EdkMdb.h). It is
#: read as a stream, and stands in no column of any table.
PR_INTERNET_CONTENT = 0x66590102

#: A FILETIME counts 100 ns from here ([MS-DTYP] 2.3.3).
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def datetime_of(filetime: int) -> datetime:
    """A FILETIME as an aware time in UTC, cut to microseconds. Raises CodecError beyond the year 9999."""
    try:
        return _EPOCH + timedelta(microseconds=filetime // 10)
    except OverflowError as error:
        raise CodecError(f"a FILETIME beyond the calendar: {filetime}") from error


def filetime_of(moment: datetime) -> int:
    """An aware time as a FILETIME. Raises CodecError before 1601."""
    filetime = (moment - _EPOCH) // _MICROSECOND * 10
    if filetime < 0:
        raise CodecError(f"a time before FILETIMEs begin: {moment}")
    return filetime
