import os
import sys

from bot.runtime.lean_imports import import_lean

# Some machines keep no compiled modules. A run starts a hundred processes: each would compile for three seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"  # It would load trio, which no test uses.
import_lean()  # before anything here imports the libraries otherwise
