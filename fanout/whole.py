"""Files that are there when they are whole, and not before."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fanout.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What a disk answers that takes no more. Everything else is about the path that was given.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


@contextmanager
def whole_file(path: Path, what: str) -> Iterator[Path]:
    """A file under another name until it is whole. Raises StoppedError when the disk takes no more, UsageError where it can't be made."""
    new = path.with_name(f".{path.name}.anew")
    try:
        yield new
        os.replace(new, path)
    except OSError as error:
        kind = StoppedError if error.errno in _FULL else UsageError
        raise kind(f"{what} can't be written: {path}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)
