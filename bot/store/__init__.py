"""Redis: connect or embed a server; every key with its lifetime."""
