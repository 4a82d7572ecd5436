"""Quartz cron expressions, which jobs are scheduled by.

http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html
"""

from __future__ import annotations

import re

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

# Name, least, greatest, names of values, and what else a field may be.
_FIELDS: list[tuple[str, int, int, tuple[str, ...], str]] = [
    ("seconds", 0, 59, (), ""),
    ("minutes", 0, 59, (), ""),
    ("hours", 0, 23, (), ""),
    ("day of month", 1, 31, (), r"\?|L(-\d{1,2})?W?|\d{1,2}W"),
    ("month", 1, 12, _MONTHS, ""),
    ("day of week", 1, 7, _DAYS, r"\?|L|([1-7]|[A-Z]{3})(L|#[1-5])"),
    ("year", 1970, 2099, (), ""),
]
_DAY_OF_MONTH, _DAY_OF_WEEK = 3, 5


def problem(expression: str) -> str | None:
    """What is wrong with a cron expression; null if it is one."""
    fields = expression.upper().split()
    if len(fields) not in (6, 7):
        return f"has {len(fields)} fields, and not 6 or 7"
    for text, (name, least, greatest, names, other) in zip(fields, _FIELDS, strict=False):
        if not all(_is_item(item, least, greatest, names, other) for item in text.split(",")):
            return f"has {text} as {name}"
        if "?" in text and text != "?":
            return f"has {text} as {name}"
    if [fields[_DAY_OF_MONTH], fields[_DAY_OF_WEEK]].count("?") != 1:
        return "must have ? as day of month or as day of week, and not as both"
    return None


def runs_a_day(expression: str) -> int:
    """How often a day an expression fires that is for every day. Raises ValueError for others."""
    seconds, minutes, hours, *days = expression.upper().split()
    if days[:3] not in (["*", "*", "?"], ["?", "*", "*"]) or len(days) > 3:
        raise ValueError(f"{expression!r} is not for every day")
    return len(_values(seconds, 59)) * len(_values(minutes, 59)) * len(_values(hours, 23))


def _values(field: str, greatest: int) -> set[int]:
    """What a field of numbers stands for: `*`, `5`, `2-7`, each perhaps with a step; `5/10` begins at 5."""
    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        begin = 0 if first == "*" else int(first)
        end = int(last) if last else greatest if first == "*" or step else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def _is_item(item: str, least: int, greatest: int, names: tuple[str, ...], other: str) -> bool:
    """One of a list: `*`, a value or a range, each perhaps with a step; or what else the field may be."""
    if other and re.fullmatch(other, item):
        return True
    value = r"(\d+|[A-Z]{3})"
    match = re.fullmatch(rf"(?:\*|{value}(?:-{value})?)(?:/(\d+))?", item)
    if match is None:
        return False
    ends = [_number(end, least, names) for end in match.groups()[:2] if end is not None]
    step = match[3]
    return all(end is not None and least <= end <= greatest for end in ends) and (
        step is None or 1 <= int(step) <= greatest
    )


def _number(text: str, least: int, names: tuple[str, ...]) -> int | None:
    if text.isdigit():
        return int(text)
    return names.index(text) + least if text in names else None
