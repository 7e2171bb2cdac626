"""Serving ASGI apps over HTTP."""
