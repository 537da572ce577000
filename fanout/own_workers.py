"""Makes `workers` mean the package beside this one, whatever lies in the user's directory.

`python -m fanout` and a user's own script put a directory before the installed packages, and a `workers.py` there would
be taken for ours. Imported first, before anything else of fanout is.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_OWN = Path(__file__).resolve().parent.parent / "workers" / "__init__.py"


def _load() -> None:
    loaded = sys.modules.get("workers")
    if loaded is not None:
        if Path(loaded.__file__ or "").resolve() != _OWN:
            raise ImportError(
                f"fanout has a package `workers`, and {loaded.__file__} was imported under that name before it; "
                "import fanout first, or give that module another name"
            )
        return
    spec = importlib.util.spec_from_file_location("workers", _OWN, submodule_search_locations=[str(_OWN.parent)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["workers"] = module
    spec.loader.exec_module(module)


_load()
