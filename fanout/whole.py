"""Files that are there when they are whole, and not before."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fanout.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole_file(path: Path, what: str) -> Iterator[Path]:
    """A file under another name until it is whole. Raises StoppedError, which says what can't be written, when the disk takes no more."""
    new = path.with_name(f".{path.name}.anew")
    try:
        yield new
        os.replace(new, path)
    except OSError as error:
        raise StoppedError(f"{what} can't be written: {path}: {error.strerror}") from error
    finally:
        new.unlink(missing_ok=True)
