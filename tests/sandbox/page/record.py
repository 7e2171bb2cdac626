"""Records the picture that the README opens with: a real conversation on the chat page, in Chromium.

Run it again with ``uv run python -m tests.sandbox.page.record``; it needs ``chromium`` and ``chromedriver``.
"""

from __future__ import annotations

import base64
import io
import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By

from tests.sandbox.page.browser import Page, chromium, sandbox

TARGET = Path(__file__).parent / "conversation.webp"

WIDTH, HEIGHT = 860, 640
FRAME_S = 0.2
WAIT_SHOWN_S = 1.2
"""How long a picture that does not change is shown at most: nobody wants to watch a render."""

LAST_SHOWN_S = 4.0


@dataclass(slots=True)
class Recorder:
    """Takes pictures of a page, while the page is used.

    Attributes:
        frames: Each with the time at which it was taken.
    """

    browser: Chrome
    frames: list[tuple[float, bytes]] = field(default_factory=list)

    def take(self) -> None:
        """One picture, unless it is as the last."""
        taken = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        picture = base64.b64decode(taken["data"])
        if not self.frames or self.frames[-1][1] != picture:
            self.frames.append((time.monotonic(), picture))

    def watch(self, seconds: float) -> None:
        """Pictures for some seconds."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            began = time.monotonic()
            self.take()
            time.sleep(max(0.0, FRAME_S - (time.monotonic() - began)))

    def watch_until(self, page: Page, selector: str, text: str, within_s: float = 60.0) -> None:
        """Pictures until something is there."""
        ends = time.monotonic() + within_s
        while not any(text in one for one in _texts(page, selector)):
            if time.monotonic() > ends:
                raise TimeoutError(f"{selector} with “{text}”")
            self.watch(FRAME_S)

    def save(self, target: Path) -> None:
        """Write a moving picture that begins again at its end."""
        pictures = [Image.open(io.BytesIO(data)).convert("RGB") for _, data in self.frames]
        times = [at for at, _ in self.frames]
        shown = [min(after - at, WAIT_SHOWN_S) for at, after in itertools.pairwise(times)]
        durations_ms = [round(seconds * 1000) for seconds in (*shown, LAST_SHOWN_S)]
        pictures[0].save(
            target,
            save_all=True,
            append_images=pictures[1:],
            duration=durations_ms,
            loop=0,
            quality=72,
            method=4,
            minimize_size=True,
        )


def _texts(page: Page, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    return list(page.browser.execute_script(script, selector))


def converse(page: Page, recorder: Recorder) -> None:
    """The conversation."""
    page.go("Ann")
    recorder.watch(0.6)
    _write(page, recorder, 'trim it to 3 seconds and add the title "Sunset"')
    recorder.watch(0.4)
    page.click("#attach")
    recorder.watch(0.8)
    page.click("#menu button", "Beach")
    recorder.watch_until(page, ".message:not(.mine)", "I trimmed it")
    recorder.watch_until(page, ".message:not(.mine)", "made in")
    recorder.watch(0.8)
    # The pointer would bring the player's controls over the picture.
    ActionChains(page.browser).move_to_element(page.one("#chat-title")).perform()
    play = page.browser.find_elements(By.CSS_SELECTOR, ".message:not(.mine) .play")[-1]
    page.browser.execute_script("arguments[0].click()", play)
    recorder.watch(3.4)
    _write(page, recorder, "add calm music")
    page.one("#text").send_keys(Keys.ENTER)
    recorder.watch_until(page, ".message:not(.mine)", "Music")
    count = _texts(page, ".message:not(.mine)").count("made in")
    page.until(
        lambda: sum("made in" in one for one in _texts(page, ".message:not(.mine)")) > max(1, count), "it"
    )
    recorder.watch(1.0)


def _write(page: Page, recorder: Recorder, text: str) -> None:
    field_ = page.one("#text")
    for at in range(0, len(text), 4):
        field_.send_keys(text[at : at + 4])
        recorder.take()


@contextmanager
def _stage() -> Iterator[Page]:
    with (
        tempfile.TemporaryDirectory() as profile,
        sandbox() as address,
        chromium(Path(profile) / "profile") as browser,
    ):
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        page = Page(browser, address)
        page.open()
        page.until(lambda: page.browser.execute_script("return document.fonts.status === 'loaded'"), "fonts")
        yield page


def main() -> None:
    """Record it."""
    with _stage() as page:
        recorder = Recorder(page.browser)
        converse(page, recorder)
    recorder.save(TARGET)
    print(f"{TARGET}: {len(recorder.frames)} pictures, {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
