"""Units: what a hash cuts a corpus or a graph into, and their names. Nothing else reads such a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from kgmill.schemas.identity import order_key


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """The identifiers whose order key begins with the same bits.

    Attributes:
        bits: how many, 0 to 16.
        number: which they are.

    >>> str(Unit(3, 5)), Unit.parse("03-0005")
    ('03-0005', Unit(bits=3, number=5))
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
        return cls(bits, int(key[:4], 16) >> (16 - bits))

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
        return f"{self.bits:02d}-{self.number:04x}"

    def overlaps(self, other: Unit) -> bool:
        """Whether both, perhaps of different numbers of bits, can hold the same identifier.

        >>> Unit(1, 1).overlaps(Unit(3, 5)), Unit(1, 0).overlaps(Unit(3, 5))
        (True, False)
        """
        bits = min(self.bits, other.bits)
        return self.within(bits) == other.within(bits)

    def within(self, bits: int) -> Unit:
        """The unit of at most so many bits that this one lies in.

        >>> str(Unit(3, 5).within(1)), str(Unit(3, 5).within(8))
        ('01-0001', '03-0005')
        """
        fewer = min(self.bits, bits)
        return Unit(fewer, self.number >> (self.bits - fewer))
