"""The error for a server's URL, for those who read URLs and for those who are given them."""

from __future__ import annotations


class ServerUrlError(ValueError):
    """A server's URL that cannot be meant as it stands: the message names what is wrong, and what is allowed."""
