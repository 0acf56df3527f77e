"""What only one of two graphs has."""

from kgmill.pipelines.graph.difference import difference


def test_difference_is_of_sets():
    """A line that stands twice is one quad."""
    assert difference([b"a", b"b", b"b"], [b"c", b"a", b"a", b"c"]) == ([b"b"], [b"c"])
