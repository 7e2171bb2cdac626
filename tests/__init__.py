from bot.runtime.lean_imports import import_lean

import_lean()  # before anything here imports the libraries otherwise
