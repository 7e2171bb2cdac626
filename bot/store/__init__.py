"""Redis: connect or embed, every key's name and lifetime."""
