"""How the tests are run."""

import asyncio
import socket
import warnings

from tests.conftest import ClosingLoop


def test_a_connection_that_is_still_open_does_not_hold_up_the_end_of_a_loop() -> None:
    loop = ClosingLoop()
    near, far = socket.socketpair()

    loop.run_until_complete(loop.create_unix_connection(asyncio.Protocol, sock=near))
    with near, far, warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("error")
        loop.close()

    assert ["unclosed resource" in str(warning.message) for warning in recorded] == [True]
