"""A stand-in of the NemoVideo service: its whole API over real HTTP, with real renders.

`app.create_app` creates the ASGI app. `client.NemoControl` switches its behavior and reads what it was asked.
"""
