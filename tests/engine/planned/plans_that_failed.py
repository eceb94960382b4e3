"""Plans that once failed the property, cut down; every run of the tests tries each."""

from tests.engine.planned.plan import Add, Ask, Piece, Plan

# A step had read a value by an edit, and then got an older copy of it that was right again: it
# added to the copy, and its change was taken for one of the value that the edit had read.
_ADDS = (Add("map", "set", 0, 0), Add("count", "edit", 0, 0), Add("map", "set", 0, 2))
_ASKS = (Ask("early", 0, False), Add("count", "edit", 0, 0), Ask("early", 0, False))

FOUND = (
    Plan(
        pieces=(
            Piece(0, "first", "work", 1, rounds=1, fails=0, ticks=0, quiet=False, does=()),
            Piece(0, "first", "work", 3, rounds=0, fails=1, ticks=0, quiet=False, does=_ADDS),
        ),
        rows=(),
        lists=(),
        seeded=False,
    ),
    Plan(
        pieces=(Piece(0, "first", "both", 2, rounds=0, fails=1, ticks=0, quiet=False, does=_ASKS),),
        rows=(),
        lists=(),
        seeded=False,
    ),
)
