"""Chromium on the chat page, as a person uses it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")

WITHIN_S = 60.0
ENDS_WITHIN_S = 60.0
MAX_TABS = 80
"""From one end of the page to the other, with a chat that has some messages."""

T = TypeVar("T")


@contextmanager
def chromium(profile: Path, width: int = 1280, height: int = 800) -> Iterator[Chrome]:
    """A browser of its own, which asks nobody else for anything.

    Args:
        profile: A directory for all that it keeps.
        width: Of its window, in pixels.
        height: Of its window, in pixels.
    """
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--lang=en-US",
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={profile}",
        f"--window-size={width},{height}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = Chrome(options, Service(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


@contextmanager
def sandbox() -> Iterator[str]:
    """The real command, ended in order with the block.

    Yields:
        The page's address.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", "from bot.cli import main; main()", "sandbox"],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        told = re.search(r"http://\S+", process.stdout.readline())
        assert told is not None
        try:
            yield told[0]
        finally:
            process.terminate()
        assert process.wait(ENDS_WITHIN_S) == 0


class Page:
    """The open page.

    Args:
        browser: Where it is shown.
        address: Where it lies.
    """

    def __init__(self, browser: Chrome, address: str) -> None:
        self.browser = browser
        self.address = address

    def open(self) -> None:
        """Load it, and wait until chats are there."""
        self.browser.get(self.address)
        self.until(lambda: self.all("#chat-list button"), "chats")

    def until(self, look: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
        """Look until there is something."""

        def found(_: object) -> T:
            return look()

        # What was just found may be drawn anew before it is read.
        ignored = (StaleElementReferenceException, NoSuchElementException)
        wait = WebDriverWait(self.browser, within_s, poll_frequency=0.1, ignored_exceptions=ignored)
        return wait.until(found, what)

    def all(self, selector: str) -> list[WebElement]:
        """Elements that are shown."""
        return [one for one in self.browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]

    def one(self, selector: str, text: str = "", within_s: float = WITHIN_S) -> WebElement:
        """The last element like this with the text in it; waits for it."""

        def look() -> WebElement | None:
            fitting = [one for one in self.all(selector) if text in one.text]
            return fitting[-1] if fitting else None

        found = self.until(look, f"{selector} with “{text}”", within_s)
        assert found is not None
        return found

    def click(self, selector: str, text: str = "", within: str = "") -> None:
        """Click it, or what is within it."""

        def click() -> bool:
            found = self.one(selector, text)
            (found.find_element(By.CSS_SELECTOR, within) if within else found).click()
            return True

        self.until(click, f"to click {selector} {within} with “{text}”")

    def go(self, chat: str) -> None:
        """Open a chat by its name in the list."""
        self.click("#chat-list button", chat)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.browser).send_keys(*keys).perform()

    def active(self) -> WebElement:
        """What has the focus."""
        return self.browser.switch_to.active_element

    def focused(self, selector: str) -> bool:
        """Return whether something like this has the focus."""
        return bool(
            self.browser.execute_script("return document.activeElement.matches(arguments[0])", selector)
        )

    def tab_to(self, selector: str, *, back: bool = False) -> None:
        """Press Tab until something like this has the focus."""
        for _ in range(MAX_TABS):
            if self.focused(selector):
                return
            self.press(*((Keys.SHIFT, Keys.TAB, Keys.NULL) if back else (Keys.TAB,)))
        raise AssertionError(f"{selector} is not reached by Tab")

    def index_in_list(self, chat: str) -> int:
        """How many steps a chat is below the one in the list that has the focus."""
        names = [one.text for one in self.all("#chat-list button")]
        at = next(n for n, name in enumerate(names) if chat in name)
        return at - names.index(self.active().text)

    def choose(self, selector: str, text: str) -> None:
        """Choose in a list of choices."""
        Select(self.one(selector)).select_by_visible_text(text)

    def say(self, text: str) -> None:
        """Write and press Enter."""
        self.one("#text").send_keys(text, Keys.ENTER)

    def send_clip(self, name: str, caption: str = "") -> None:
        """Send a sample with one click."""
        if caption:
            self.one("#text").send_keys(caption)
        self.click("#attach")
        self.click("#menu button", name)

    def answer(self, text: str, within_s: float = WITHIN_S) -> WebElement:
        """A message of somebody else's with this text."""
        return self.one(".message:not(.mine)", text, within_s)

    def complaints(self) -> list[str]:
        """What the browser's console tells of errors."""
        log = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(one["message"]) for one in log if one["level"] in {"SEVERE", "WARNING"}]
