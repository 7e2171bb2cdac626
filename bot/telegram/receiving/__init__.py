"""Updates come in here: polling, webhook, PTB's Application, deduplication."""
