"""Quartz cron expressions (quartz-scheduler.org, *CronTrigger tutorial*).

Six fields and perhaps a year; one of the two days is `?`.
"""

from __future__ import annotations

import re

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# The smallest and largest number, and the words for numbers from 1.
FIELDS: list[tuple[int, int, list[str]]] = [
    (0, 59, []),
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, MONTHS),
    (1, 7, DAYS),
    (1970, 2199, []),
]
DAY_OF_MONTH, DAY_OF_WEEK = 3, 5


def is_quartz(text: str) -> bool:
    """The text is an expression that Quartz takes."""
    parts = text.upper().split()
    if (
        not text.isascii()
        or len(parts) not in (6, 7)
        or (parts[DAY_OF_MONTH] == "?") == (parts[DAY_OF_WEEK] == "?")
    ):
        return False
    return all(is_field(part, at) for at, part in enumerate(parts))


def is_field(text: str, at: int) -> bool:
    """The text is a field of that place."""
    if text == "?":
        return at in (DAY_OF_MONTH, DAY_OF_WEEK)
    if at == DAY_OF_WEEK and "," in text and ("L" in text or "#" in text):
        return False
    return all(is_part(part, at) for part in text.split(","))


def is_part(text: str, at: int) -> bool:
    """The text is one of the parts between commas.

    A value, a range, a step, or one of the words for days.
    """
    low, high, words = FIELDS[at]
    if at == DAY_OF_MONTH and (found := re.fullmatch(r"L(?:-(\d{1,2}))?|LW|(\d{1,2})W", text)):
        return int(found[1] or 0) <= 30 and 1 <= int(found[2] or 1) <= 31
    if at == DAY_OF_WEEK and (
        text == "L" or re.fullmatch(rf"([1-7]|{'|'.join(DAYS)})(L|#[1-5])", text)
    ):
        return True
    base, slash, step = text.partition("/")
    if slash and not (step.isdigit() and 0 < int(step) <= high):
        return False
    first, dash, last = base.partition("-")
    if base == "*":
        return True
    ends = [
        words.index(end) + 1 if end in words else int(end) if end.isdigit() else -1
        for end in ([first, last] if dash else [first])
    ]
    return all(low <= end <= high for end in ends)
