import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_LINES = 500


def test_a_bot_that_serves_nothing_starts_without_what_it_does_not_use() -> None:
    unused = {"av", "PIL", "starlette", "uvicorn", "beartype", "opentelemetry.sdk", "rich"}
    lean = "from bot.runtime.lean_imports import import_lean; import_lean()"
    code = f"{lean}; import sys, bot.app; print(*{unused} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_imports_point_the_way_the_contracts_say() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / "bot").rglob("*.py")}
    assert [str(path.relative_to(ROOT)) for path, length in lengths.items() if length > MAX_LINES] == []
