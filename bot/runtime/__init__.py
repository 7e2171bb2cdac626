"""What every process needs: clock, logs, metrics, HTTP transport, backoff, open file limit."""
