import os
import sys

from bot.runtime.lean_imports import import_lean

# Some machines keep no compiled modules. A run starts a hundred processes: each would compile for three seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # It would load trio, which no test uses.
_main = getattr(sys.modules["__main__"], "__spec__", None)
# Each decoder that does a test's work comes here too, where it would take a quarter of a second.
if _main is None or _main.name != "bot.media.decoder_process":
    import_lean()  # before anything here imports the libraries otherwise
