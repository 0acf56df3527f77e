"""Units: what a hash cuts a corpus or a graph into, and their names. Nothing else reads such a name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from kgmill.schemas.identity import order_key

_DIGITS = 5  # hex digits of a hash that can be told apart


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """The identifiers whose order key begins with the same bits.

    Attributes:
        bits: how many, 0 to 20.
        number: which they are.

    >>> str(Unit(3, 5)), Unit.parse("03-0005"), str(Unit(20, 5))
    ('03-0005', Unit(bits=3, number=5), '20-00005')
    """

    bits: int
    number: int

    @classmethod
    def of(cls, identifier: str, bits: int) -> Self:
        """The unit that a document, entity or fact lies in."""
        return cls.of_key(order_key(identifier), bits)

    @classmethod
    def of_key(cls, key: str, bits: int) -> Self:
        """The unit of what has a hash, given in hex digits."""
        return cls(bits, int(key[:_DIGITS], 16) >> (4 * _DIGITS - bits))

    @classmethod
    def parse(cls, name: str) -> Self:
        """The unit of a name.

        Raises:
            ValueError: it is no unit's.
        """
        bits, number = name.split("-")
        return cls(int(bits), int(number, 16))

    @classmethod
    def each(cls, bits: int) -> Iterator[Self]:
        """All units of so many bits, in order."""
        return (cls(bits, number) for number in range(1 << bits))

    def __str__(self) -> str:
        return f"{self.bits:02d}-{self.number:0{4 if self.bits <= 16 else _DIGITS}x}"

    def overlapping(self, bits: int) -> Iterator[Self]:
        """The units of so many bits, more or fewer, that can hold the same identifiers, in order.

        >>> [str(unit) for unit in Unit(1, 1).overlapping(2)], [str(unit) for unit in Unit(3, 5).overlapping(1)]
        (['02-0002', '02-0003'], ['01-0001'])
        """
        more, fewer = max(bits - self.bits, 0), max(self.bits - bits, 0)
        first = self.number << more >> fewer
        return (type(self)(bits, number) for number in range(first, first + (1 << more)))

    def within(self, bits: int) -> Unit:
        """The unit of at most so many bits that this one lies in.

        >>> str(Unit(3, 5).within(1)), str(Unit(3, 5).within(8))
        ('01-0001', '03-0005')
        """
        fewer = min(self.bits, bits)
        return Unit(fewer, self.number >> (self.bits - fewer))


def cuts_of(names: Iterable[str]) -> list[int]:
    """The numbers of bits that units, given by name, have: one, where one build has cut them."""
    return sorted({Unit.parse(name).bits for name in names})


def overlapping(name: str, others: Collection[str], cuts: Sequence[int]) -> list[str]:
    """Those of the units that can hold what a unit can, in order, found without going over all.

    Args:
        others: names that are quickly looked up.
        cuts: what `cuts_of` says of them.
    """
    unit = Unit.parse(name)
    return [found for bits in cuts for found in map(str, unit.overlapping(bits)) if found in others]
