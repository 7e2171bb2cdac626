"""Takes the README's pictures of the chat page: in the dark with what happens behind the scenes, and on a phone.

Run it again with ``uv run python -m tests.sandbox.page.stills``; it needs ``chromium`` and ``chromedriver``.
"""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path

from PIL import Image
from selenium.webdriver import Keys

from tests.sandbox.page.browser import Page, chromium, sandbox

HERE = Path(__file__).parent

DESKTOP = (1180, 760)
PHONE = (390, 760)


def show(page: Page, size: tuple[int, int], theme: str) -> None:
    """Let the page be of this size, in pixels, and light or dark."""
    width, height = size
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    features = [{"name": "prefers-color-scheme", "value": theme}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.until(lambda: page.browser.execute_script("return innerWidth") == width, "the size")


def take(page: Page, name: str) -> None:
    """A picture of what is shown."""
    taken = page.browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    target = HERE / name
    Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB").save(target, quality=80, method=6)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Take them."""
    with (
        tempfile.TemporaryDirectory() as profile,
        sandbox() as address,
        chromium(Path(profile) / "profile") as browser,
    ):
        page = Page(browser, address)
        show(page, DESKTOP, "dark")
        page.open()
        page.until(lambda: browser.execute_script("return document.fonts.status === 'loaded'"), "fonts")
        page.go("Ann")
        page.send_clip("Beach", 'trim it to 3 seconds and add the title "Sunset"')
        page.answer("made in", 60)
        page.until(lambda: "%" not in page.one("#messages").text, "no progress message")
        page.click("#panel-toggle")
        page.one("#panel section[aria-label=Jobs] li", "done")
        take(page, "page-dark.webp")

        page.one("#panel header button").send_keys(Keys.ESCAPE)
        page.choose("#language", "中文")
        page.go("小明")
        page.send_clip("海滩", "剪到 2 秒，加上标题“日落”")
        page.until(lambda: page.all(".message:not(.mine) video"), "a video", 60)
        page.until(lambda: "%" not in page.one("#messages").text, "no progress message")
        show(page, PHONE, "light")
        browser.execute_script("document.activeElement.blur()")
        take(page, "page-phone.webp")


if __name__ == "__main__":
    main()
