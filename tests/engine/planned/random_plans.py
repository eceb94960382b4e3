"""Strategies that draw plans at random."""

from hypothesis import strategies as st

from tests.engine.planned.plan import LOST, Add, Ask, How, Kind, Listed, Piece, Plan, Row

TICKS = st.integers(0, 7)
WEIGHTS = st.integers(0, 2)  # small: equal values are the hard case
KINDS: st.SearchStrategy[Kind] = st.sampled_from(("Nut", "Bolt"))
SELDOM = st.sampled_from((0, 0, 0, 1, 2))
SELDOMER = st.sampled_from((0, 0, 0, 0, 0, 1, 2))


def adds(how: How) -> st.SearchStrategy[Add]:
    """Additions to the state in this way."""
    keys = ("count", "list", "set", "map", "deep", "plain", "tally")
    return st.builds(Add, st.sampled_from(keys), st.just(how), WEIGHTS, TICKS)


ASKS = st.builds(Ask, st.sampled_from(("early", "late", "inside", "never")), TICKS, st.booleans())
ACTIONS = adds("set") | adds("in place") | adds("edit") | ASKS
PIECES = st.builds(
    Piece,
    parent=st.integers(0, 5),
    goes=st.sampled_from(("first", "last", "returned")),
    route=st.sampled_from(("work", "work", "narrow", "both", "named")),
    copies=st.sampled_from((1, 1, 1, 2, 3)),
    rounds=SELDOM,
    fails=SELDOMER,
    ticks=TICKS,
    quiet=st.booleans(),
    does=st.lists(ACTIONS, max_size=3).map(tuple),
)
ROWS = st.builds(
    Row,
    parent=st.integers(0, 5),
    items=st.lists(st.tuples(KINDS, WEIGHTS), min_size=1, max_size=6).map(tuple),
    pattern=st.lists(KINDS, min_size=1, max_size=3).map(tuple),
    how=st.sampled_from(("in order", "loose", "joined")),
    fails=SELDOMER,
    ticks=TICKS,
)

LISTS = st.builds(
    Listed,
    parent=st.integers(0, 5),
    items=st.lists(st.integers(0, LOST), max_size=4).map(tuple),
    whole=st.booleans(),
    fails=SELDOMER,
    ticks=TICKS,
)


def plans(*sizes: int) -> st.SearchStrategy[Plan]:
    """Plans of a limited size, each limit drawn from these."""
    drawn = st.builds(
        Plan,
        st.lists(PIECES, max_size=6).map(tuple),
        st.lists(ROWS, max_size=2).map(tuple),
        st.lists(LISTS, max_size=1).map(tuple),
        st.booleans(),
    )
    limited = st.tuples(drawn, st.sampled_from(sizes))
    return limited.map(lambda both: both[0].no_larger_than(both[1]))
