"""Microsoft Knowledge Base Q260141, statement by statement, as experiments that run against a MAPI server."""

from workers.article.findings import Answer, Figure, Finding
from workers.article.laboratory import Laboratory, MapiServer, TooFewMailboxesError
from workers.article.statements import STATEMENTS, held_together, together, try_statement

__all__ = [
    "STATEMENTS",
    "Answer",
    "Figure",
    "Finding",
    "Laboratory",
    "MapiServer",
    "TooFewMailboxesError",
    "held_together",
    "together",
    "try_statement",
]
