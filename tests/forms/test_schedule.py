"""Schedules: the times are those of Quartz, the words are there for whatever it takes, and a choice
comes back as itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamaster_kit.contract.cron import describe_cron
from datamaster_kit.contract.fault import BadInput
from datamaster_kit.forms.text.schedule import (
    CHOICE_WORDS,
    DIVISORS,
    ScheduleChoice,
    choice_of,
    cron_of,
    next_times,
)

# cron, zone, after, and the next four times that Quartz gives: getNextValidTimeAfter of
# CronExpression in org.quartz-scheduler:quartz 2.5.2. With `nW`, rows on which 2.3.2 says otherwise
# are left out: the one forgets the later hours of a day that was moved, the other the second item
# of a list.
TIMES = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "quartz_times.tsv")
    .read_text(encoding="utf-8")
    .splitlines()
]


def test_the_next_times_are_those_of_quartz() -> None:
    assert len(TIMES) > 200
    for cron, zone, after, *expected in TIMES:
        found = [
            f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
            for moment in next_times(cron, zone, datetime.fromisoformat(after), 4)
        ]
        assert found == expected, (cron, zone, after)
        assert describe_cron(cron), cron


def item(least: int, most: int) -> st.SearchStrategy[str]:
    """An item of a part: a number, a range, a step."""
    number = st.integers(least, most).map(str)
    return st.one_of(
        st.just("*"),
        number,
        st.builds("{}-{}".format, number, number),
        st.builds("{}/{}".format, number | st.just("*"), st.integers(1, most)),
    )


def part(least: int, most: int, *signs: str) -> st.SearchStrategy[str]:
    """A part: a list of items, or a sign that stands alone."""
    listed = st.lists(item(least, most), min_size=1, max_size=3).map(",".join)
    return listed | st.sampled_from(signs) if signs else listed


DAYS = st.one_of(
    part(1, 31, "L", "LW", "L-2", "15W", "31W", "1,L").map(lambda text: (text, "?")),
    part(1, 7, "L", "MON-FRI", "6#3", "FRIL", "SUN,WED").map(lambda text: ("?", text)),
)
CRON = st.builds(
    lambda second, minute, hour, days, month: (
        f"{second} {minute} {hour} {days[0]} {month} {days[1]}"
    ),
    part(0, 59),
    part(0, 59),
    part(0, 23),
    DAYS,
    part(1, 12, "JAN-MAR"),
)
MOMENT = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


@settings(deadline=None, max_examples=60)
@given(
    CRON,
    MOMENT,
    st.sampled_from(["UTC", "America/Sao_Paulo", "America/New_York", "Australia/Lord_Howe"]),
)
def test_times_follow_one_another_and_leave_none_out(cron: str, after: datetime, zone: str) -> None:
    found = next_times(cron, zone, after, 6)
    assert (
        list(found) == sorted({*found})
        and all(moment > after for moment in found)
        and describe_cron(cron)
    )
    if len(found) == 6:
        middle = after + (found[3] - after) / 2
        assert (
            next_times(cron, zone, middle, 3)
            == tuple(
                moment
                for moment in (*found, *next_times(cron, zone, found[-1], 3))
                if moment > middle
            )[:3]
        )
        assert next_times(cron, zone, found[0] - timedelta(microseconds=1), 1) == found[:1]
    assert all(moment.tzinfo == ZoneInfo(zone) and moment.microsecond == 0 for moment in found)


CHOICES = st.one_of(
    st.builds(lambda every: ScheduleChoice("minutes", every), st.sampled_from(DIVISORS["minutes"])),
    st.builds(
        lambda every, minute: ScheduleChoice("hours", every, minute=minute),
        st.sampled_from(DIVISORS["hours"]),
        st.integers(0, 59),
    ),
    st.builds(
        lambda kind, hour, minute: ScheduleChoice(kind, hour=hour, minute=minute),
        st.sampled_from(["day", "weekdays"]),
        st.integers(0, 23),
        st.integers(0, 59),
    ),
    st.builds(
        lambda hour, minute, day: ScheduleChoice("month", hour=hour, minute=minute, day=day),
        st.integers(0, 23),
        st.integers(0, 59),
        st.integers(1, 28),
    ),
)


@given(CHOICES)
def test_a_choice_comes_back_as_itself(choice: ScheduleChoice) -> None:
    assert choice_of(cron_of(choice)) == choice and choice.kind in CHOICE_WORDS


@settings(deadline=None, max_examples=60)
@given(CRON, MOMENT)
def test_an_expression_is_a_choice_only_where_it_means_the_same(cron: str, after: datetime) -> None:
    choice = choice_of(cron)
    assert choice is None or next_times(cron, "UTC", after, 40) == next_times(
        cron_of(choice), "UTC", after, 40
    )


@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(
            ["*", "?", "L", "0", "9" * 5000, "²", "<script>", "MON,6L", "0/0", "-", "#", "1#"]
        ),
        min_size=6,
        max_size=7,
    ).map(" ".join)
)
def test_whatever_is_written_is_told_and_nothing_breaks(text: str) -> None:
    try:
        describe_cron(text)
        choice_of(text)
    except BadInput as error:
        assert error.faults[0].message


def test_a_broken_schedule_and_an_unknown_zone_are_both_told() -> None:
    with pytest.raises(BadInput) as raised:
        next_times("0 0 25 * * ?", "America/Sao_Paolo", datetime(2026, 1, 1, tzinfo=UTC), 5)
    assert [fault.message for fault in raised.value.faults] == [
        "'25' is no hours, which goes from 0 to 23",
        "'America/Sao_Paolo' is no time zone",
    ]
