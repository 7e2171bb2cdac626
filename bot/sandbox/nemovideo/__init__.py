"""A stand-in of the NemoVideo service: the whole contract over real HTTP, with real renders.

`app.create_app` makes the ASGI app, `client.NemoControl` switches its behaviours and reads what it was asked.
"""
