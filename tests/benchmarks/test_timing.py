"""Medians, ranges and paired ratios."""
import pytest

from benchmarks import timing


def test_a_range_is_from_the_tenth_to_the_ninetieth_percentile():
    found = timing.spread([float(n) for n in range(20, -1, -1)])
    assert (found.median, found.low, found.high) == (10.0, 2.0, 18.0)


def test_one_number_is_its_own_range():
    assert timing.spread([3.0]) == timing.Spread(3.0, 3.0, 3.0)


def test_ratios_are_within_a_round():
    """What makes a whole round slower leaves no trace, where the ratio of medians would have one."""
    found = timing.paired([1.0, 10.0, 3.0], [2.0, 20.0, 12.0])
    assert found.median == 0.5
    assert found.low == pytest.approx(0.3)
    assert found.high == 0.5


def test_ratios_need_as_many_rounds_of_both():
    with pytest.raises(ValueError, match="2 rounds of the one, 1 of the other"):
        timing.paired([1.0, 2.0], [1.0])


def test_an_inverse_has_its_range_the_right_way_round():
    assert timing.Spread(0.5, 0.25, 2.0).inverse() == timing.Spread(2.0, 0.5, 4.0)


def test_other_units_and_text():
    assert timing.Spread(0.5, 0.25, 2.0).times(1e3).text(1) == "500.0 (250.0 to 2000.0)"
