"""How often Python looks for garbage that refers to itself; all other garbage goes at once."""

import gc

NEW_OBJECTS = 50_000
"""So many more objects than before, and the new ones are looked through. Python's default is 700."""

TIMES_MORE = (4, 1)
"""How much rarer the objects that outlived that are looked through, and how much rarer than those all of them."""


def collect_rarely() -> None:
    """Keep collections from holding the loop up. At start, once all is loaded: what is there then is never looked at.

    With 5000 event streams open, nearly a hundred objects each, it takes 0.6 s to look through all of them, and up
    to 0.1 s to look through the new ones: of a hundred events one came 0.7 s late, and with this 1 ms. What waits
    for a collection is bounded by the objects that come between two whole ones, half a million.
    """
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *TIMES_MORE)
