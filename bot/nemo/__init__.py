"""The NemoVideo API as a library of its own: it needs an ``httpx.AsyncClient`` and nothing of this program.

``client`` makes the calls, ``events`` reads what the agent streams, ``turns`` puts its answer together, ``drafts``
reads timelines, ``changes`` compares them, and ``errors`` holds everything that may be raised.
"""
