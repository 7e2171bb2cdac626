"""Names of settings that nobody reads: a misspelt one would leave its default in force without a word."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

_SIMILARITY = 0.85
"""From here on a name in the environment, which belongs to everybody, counts as a misspelt one of ours (0 to 1)."""


def unknown_names(
    settings: Iterable[str],
    others: Iterable[str],
    env_file: Mapping[str, str | None],
    environment: Mapping[str, str],
) -> Iterator[str]:
    """Yield a line for each name that was meant for the bot and isn't known; a blank value counts as not set.

    Args:
        settings: The bot's names, in upper case.
        others: Names that may stand there too.
        env_file: What the settings file says. Every name there is meant for the bot.
        environment: The environment. Only what looks like one of the bot's is.
    """
    names = sorted(settings)
    taken = {*names, *others}
    for name, value in env_file.items():
        if value and name.upper() not in taken:
            nearest = difflib.get_close_matches(name.upper(), names, n=1)
            yield f"{name}: no such setting" + (f"; did you mean {nearest[0]}?" if nearest else "")
    for name, value in environment.items():
        if value and name.upper() not in taken and name not in env_file:
            for nearest_name in difflib.get_close_matches(name.upper(), names, n=1, cutoff=_SIMILARITY):
                yield f"{name}: no such setting; did you mean {nearest_name}?"
