"""The web app: webhook, health checks, metrics."""
