"""Units: prefixes of a hash, and their names."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.schemas import units
from kgmill.schemas.identity import bucket, order_key
from kgmill.schemas.units import Unit


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(units)
    assert (result.failed, result.attempted) == (0, 3)


@pytest.mark.parametrize("identifier", ["", "ada-7f3a", "d 42", "\ud800"])
def test_unit_of_eight_bits_is_the_bucket(identifier):
    """Buckets, units and the order of documents are prefixes of one key."""
    assert Unit.of(identifier, 8).number == bucket(identifier)
    assert Unit.of(identifier, 16).number == int(order_key(identifier)[:4], 16)
    assert Unit.of(identifier, 20).number == int(order_key(identifier)[:5], 16)
    assert Unit.of(identifier, 5) == Unit.of(identifier, 8).within(5)
    assert Unit.of(identifier, 0) == Unit(0, 0)


@given(st.text(max_size=8), st.integers(0, 20), st.integers(12, 20))
def test_units_that_hold_one_identifier_overlap(identifier, bits_a, bits_b):
    """Two units with an identifier in common overlap, whatever their sizes."""
    one, other = Unit.of(identifier, bits_a), Unit.of(identifier, bits_b)
    assert one in other.overlapping(bits_a)
    assert units.overlapping(str(other), {str(one)}, [bits_a]) == [str(one)]


def test_overlapping_units_are_those_with_a_common_prefix():
    """Of all units of other sizes, finer and coarser ones together, the ones that hold the same hashes."""
    names = [str(unit) for bits in (1, 3) for unit in Unit.each(bits)]
    assert units.cuts_of(names) == [1, 3]
    assert units.overlapping("02-0001", names, [1, 3]) == ["01-0000", "03-0002", "03-0003"]
    assert units.overlapping("03-0005", ["03-0004"], [3]) == []


@given(st.integers(0, 20).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(0, (1 << bits) - 1))))
def test_name_goes_there_and_back(unit):
    """A unit's name is read as the unit."""
    assert Unit.parse(str(Unit(*unit))) == Unit(*unit)


def test_units_cover_everything_once():
    """2 ** bits units, in the order of their names."""
    names = [str(unit) for unit in Unit.each(2)]
    assert names == ["02-0000", "02-0001", "02-0002", "02-0003"]


@pytest.mark.parametrize("bits", [12, 16, 17, 20])
def test_names_of_one_cut_sort_as_their_numbers(bits):
    """Whatever their number, up to a million; those of 4,096 units at most are named as they always were."""
    names = [str(Unit(bits, number)) for number in (0, 9, 10, (1 << bits) - 1)]
    assert names == sorted(names)
    assert names[1] == f"{bits}-{9:04x}" if bits <= 16 else f"{bits}-{9:05x}"


@pytest.mark.parametrize("name", ["all", "format-nq", "03", "03-xyz"])
def test_other_names_are_no_units(name):
    """What is not a unit's name is not taken for one."""
    with pytest.raises(ValueError, match=r"."):
        Unit.parse(name)
