"""The page: its template, filled in. The only module that knows Jinja2.

Everything that comes from outside is escaped by the template's own rule, not by whoever writes a line of it, and shown as
`visible` has it. The page needs nothing from anywhere, and tells the browser that it may fetch nothing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from fanout.report import servers
from fanout.report.charts import HEIGHT
from fanout.report.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Template

    from fanout.report.contents import Contents


def render(contents: Contents) -> Iterator[str]:
    """The page, piece by piece."""
    return _template().generate(page=contents, height=HEIGHT, course_height=servers.HEIGHT)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("fanout.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")
