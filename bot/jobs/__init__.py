"""Work that outlives a process: queues, steps, checkpoints. Knows neither Telegram nor HTTP."""
