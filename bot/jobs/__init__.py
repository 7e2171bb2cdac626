"""Work that outlives a process: lanes, steps, checkpoints. Knows neither Telegram nor HTTP."""
