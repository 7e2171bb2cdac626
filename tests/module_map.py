"""The module maps on the pages: ``uv run python -m tests.module_map`` writes them again after a docstring changed."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BOT = ROOT / "bot"
SANDBOX = BOT / "sandbox"

BEGIN = "<!-- module map: begin -->"
END = "<!-- module map: end -->"

PAGES = (BOT / "README.md", SANDBOX / "README.md")


def summary(module: Path) -> str:
    """Return the first line of a module's docstring in Markdown; empty without a docstring."""
    docstring = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    line = docstring.partition("\n")[0]
    line = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", line).replace("``", "`")
    return line.replace("|", "\\|")


def modules(page: Path) -> list[Path]:
    """Return the modules that a page's map lists: all below it, but the sandbox's on the sandbox's page only."""
    room = page.parent
    found = sorted(room.rglob("*.py"), key=lambda path: (path.parent.parts, path.name))
    return [path for path in found if room == SANDBOX or SANDBOX not in path.parents]


def module_map(page: Path) -> str:
    """Return the table of a page: a row for each room (from its ``__init__.py``) and for each module."""
    rows = ["| module | what it does |", "|---|---|"]
    for path in modules(page):
        if path.name == "__init__.py":
            name = path.parent.relative_to(page.parent).as_posix()
            shown = f"**[{path.parent.relative_to(BOT.parent).as_posix()}/]({name})**"
        else:
            name = path.relative_to(page.parent).as_posix()
            shown = f"[{name}]({name})"
        rows.append(f"| {shown} | {summary(path)} |")
    return "\n".join(rows)


def with_map(page: Path) -> str:
    """Return a page's text with its map as it should be today.

    Raises:
        ValueError: The page lacks one of the two markers.
    """
    text = page.read_text("utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{page}: needs {BEGIN} and {END}, once each")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    return f"{before}{BEGIN}\n{module_map(page)}\n{END}{after}"


def main() -> None:
    """Write every map into its page."""
    for page in PAGES:
        page.write_text(with_map(page), "utf-8")


if __name__ == "__main__":
    main()
