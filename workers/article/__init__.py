"""Microsoft Knowledge Base Q260141, statement by statement, as experiments that run against a MAPI server."""

from workers.article.findings import Answer, Figure, Finding
from workers.article.laboratory import Laboratory, MapiServer, UnfitServerError
from workers.article.statements import STATEMENTS, held_together, not_tried, together, try_statement

__all__ = [
    "STATEMENTS",
    "Answer",
    "Figure",
    "Finding",
    "Laboratory",
    "MapiServer",
    "UnfitServerError",
    "held_together",
    "not_tried",
    "together",
    "try_statement",
]
