"""The colours of the page can be told apart by who sees little: WCAG 2.2, 1.4.3 and 1.4.11."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fanout.report

STYLE = Path(fanout.report.__file__).with_name("style.css").read_text()

#: The colours by name: in the light, in the dark, on paper.
SCHEMES = [
    dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
]


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_reckoned_as_it_is_defined() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_there_are_three_schemes_with_the_same_colours() -> None:
    assert len(SCHEMES) == 3
    assert SCHEMES[0].keys() == SCHEMES[1].keys() == SCHEMES[2].keys()


@pytest.mark.parametrize("scheme", SCHEMES, ids=["light", "dark", "paper"])
def test_text_and_marks_stand_out_from_what_is_behind_them(scheme: dict[str, str]) -> None:
    text = [contrast(scheme[name], scheme[behind]) for name in ("text", "quiet") for behind in ("page", "raised")]
    marks = [contrast(scheme[name], scheme["page"]) for name in ("done", "failed", "good", "warn")]

    assert min(text) >= 4.5
    assert min(marks) >= 3
    assert contrast(scheme["failed"], scheme["page"]) >= 4.5  # a number stands there in it
