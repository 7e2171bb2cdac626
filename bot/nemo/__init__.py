"""The NemoVideo API as a library of its own: it needs an ``httpx.AsyncClient`` and nothing of this program.

``client`` makes the calls, ``events`` reads the agent's stream, ``turn_text`` collects its text, ``drafts`` reads and
``changes`` compares timelines, and ``errors`` has all exceptions.
"""
