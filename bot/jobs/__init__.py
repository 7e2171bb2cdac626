"""Work that outlives a process: queues, attempts, steps, checkpoints. Knows neither Telegram nor HTTP."""
