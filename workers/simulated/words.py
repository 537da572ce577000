"""The words of generated mail: names, folders, subjects and a text to fill bodies with. Nothing else."""

from __future__ import annotations

GIVEN_NAMES = (
    "Anna", "Ben", "Chloé", "David", "Elena", "Farid", "Grace", "Håkon",
    "Ines", "José", "Katarzyna", "Liam", "Mei", "Noah", "Olga", "Zoë",
)  # fmt: skip
FAMILY_NAMES = (
    "Abe", "Brandt", "Çelik", "Dubois", "Eriksson", "Fischer", "García", "Horváth",
    "Ito", "Jansen", "Kowalski", "Lindström", "Müller", "Novák", "O'Brien", "Weiß",
)  # fmt: skip

#: The same in letters that an address may have.
PLAIN_GIVEN_NAMES = (
    "anna", "ben", "chloe", "david", "elena", "farid", "grace", "hakon",
    "ines", "jose", "katarzyna", "liam", "mei", "noah", "olga", "zoe",
)  # fmt: skip
PLAIN_FAMILY_NAMES = (
    "abe", "brandt", "celik", "dubois", "eriksson", "fischer", "garcia", "horvath",
    "ito", "jansen", "kowalski", "lindstroem", "mueller", "novak", "obrien", "weiss",
)  # fmt: skip

FOLDER_NAMES = (
    "Archive", "Projekte", "Factures", "Größe & Maß", "Contracts", "Reisen", "日本語 フォルダ", "Newsletters",
    "Été", "Personnel", "Budget", "Support", "Входящие", "Orders", "Press", "Board",
)  # fmt: skip

OPENINGS = (
    "Re: ", "", "Fwd: ", "", "AW: ", "", "", "",
)  # fmt: skip
ADJECTIVES = (
    "Quarterly", "Revised", "Final", "Urgent", "Draft", "Annual", "Missing", "Neue",
)  # fmt: skip
NOUNS = (
    "report", "invoice", "meeting notes", "contract", "schedule", "Übersicht", "offer", "résumé",
    "budget", "travel plan", "minutes", "order", "price list", "agenda", "backup log", "questions",
)  # fmt: skip

_LINES = (
    "The figures for last quarter are attached; please check them before Friday.",
    "As agreed on the phone, delivery moves by one week, and the price stays.",
    "Could somebody who was at the meeting send the list of open points again?",
    "The backup ran to its end. Two files were in use and will be taken tonight.",
    "We thank you for your order and will confirm the date of shipment shortly.",
    "Please note that the building is closed on Monday and Tuesday of next week.",
    "Attached are the minutes. Corrections are welcome until the end of the month.",
    "I have not heard back from the other side yet; shall we wait or write again?",
)

#: Characters of a line of a generated body, without its CRLF: what RFC 5322 2.1.1 recommends as the most.
LINE_LENGTH = 78

#: A text of lines of LINE_LENGTH characters that end with CRLF.
TEXT = "".join(f"{line:.<{LINE_LENGTH}}\r\n" for line in _LINES).encode("ascii")
