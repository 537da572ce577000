"""The rehearsal of a template."""

from __future__ import annotations

import threading

import pytest

from workers.mapi.hresults import HResult, MapiError
from workers.mapi.subsystem import mapi_uninitialize
from workers.rehearsal import rehearse


def test_a_rehearsal_leaves_neither_mapi_initialized_nor_a_thread() -> None:
    threads = threading.active_count()
    rehearse()

    with pytest.raises(MapiError) as raised:
        mapi_uninitialize()
    assert raised.value.hresult == HResult.MAPI_E_NOT_INITIALIZED
    assert threading.active_count() == threads
