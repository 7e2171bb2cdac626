"""Make ``.env.example`` of the settings: ``python -m tests.env_example > .env.example``."""

import textwrap

from pydantic.fields import FieldInfo

from bot.settings import Settings


def env_example() -> str:
    """Return the text of ``.env.example``: each setting commented out, with its description and default."""
    head = (
        "# Settings of nemovideo-bot. Copy this file to .env and uncomment what you set.\n"
        "# Generated from bot/settings.py: python -m tests.env_example > .env.example\n"
    )
    blocks = []
    for name, field in Settings.model_fields.items():
        comment = "\n".join(f"# {line}" for line in textwrap.wrap(field.description or "", 100))
        blocks.append(f"{comment}\n#{name.upper()}={_default(field)}\n")
    return "\n".join([head, *blocks])


def _default(field: FieldInfo) -> str:
    """Format a default; empty if there is none, or one that depends on the machine."""
    match field.default:
        case bool() as value:
            return str(value).lower()
        case float() as value:
            return f"{value:g}"
        case (str(), *_) as values:
            return ",".join(values)
        case str() | int() as value:
            return str(value)
        case _:
            return ""


if __name__ == "__main__":
    print(env_example(), end="")
