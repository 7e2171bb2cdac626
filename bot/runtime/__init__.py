"""What every process needs: clock, logs, metrics, HTTP transport, file limits."""
