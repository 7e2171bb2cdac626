"""The chat page in a real browser, with the real bot behind it.

One test with many parts, because xdist would start a sandbox and a browser for each of its workers.
"""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from bot.sandbox import samples
from tests.sandbox.page.browser import CHROMIUM, DRIVER, Page, chromium, sandbox

pytestmark = pytest.mark.heavy


GIVE_COMMANDS = (
    "const [commands, done] = arguments;"
    "import(document.baseURI + 'store.js').then(({ state }) => {"
    "  state.chats.get(state.chat).commands = commands; document.dispatchEvent(new Event('speaker')); done(); });"
)
"""As when the bot sets them while the page is open."""

IS_AT_END = (
    "const list = document.querySelector('#messages');"
    "return list.scrollHeight - list.scrollTop - list.clientHeight < 2"
)

NOTHING_SCROLLS_SIDEWAYS = (
    "return [document.documentElement, document.querySelector('#messages')]"
    ".every((part) => part.scrollWidth <= part.clientWidth)"
)


def _is_playing(page: Page) -> bool:
    return bool(
        page.browser.execute_script(
            "const all = document.querySelectorAll('.message:not(.mine) video'); const last = all[all.length - 1];"
            "if (last.paused) { last.muted = true; last.play(); } return last.currentTime > 0.2;"
        )
    )


def the_main_job(page: Page, tmp_path: Path) -> None:
    page.go("Ann")
    page.click(".nothing button", "Start")
    page.answer("video", 20)

    page.send_clip("Beach", 'trim it to 2 seconds and add the title "Hello"')

    def progress() -> str:
        live = page.answer("%")
        assert not live.find_elements(By.CSS_SELECTOR, ".quote"), "nothing came in between"
        return live.text

    first_words = page.until(progress, "progress")
    page.until(lambda: first_words not in page.one("#messages").text, "an edit in place")
    page.answer("I trimmed it; it is 2 seconds long now", 40)
    page.one(".message:not(.mine) video", within_s=40)
    page.until(lambda: _is_playing(page), "the video plays")
    # The progress message is gone with the job.
    page.until(lambda: "%" not in page.one("#messages").text, "no progress message")
    result = page.answer("made in")
    assert "I trimmed it; it is 2 seconds long now" in result.text, "the answer and the video are one message"
    assert not result.find_elements(By.CSS_SELECTOR, ".quote"), "nothing came in between"


def a_button_is_answered(page: Page, tmp_path: Path) -> None:
    page.go("小明")
    page.say("/settings")
    before = page.answer("自动").find_elements(By.CSS_SELECTOR, ".keys button")[0]
    words = before.text

    before.click()

    page.until(
        lambda: page.all("#toast") or words not in page.one(".keyboard").text, "a toast or other buttons"
    )


def what_people_write_is_text(page: Page, tmp_path: Path) -> None:
    page.go("Film club")
    bad = "<img src=x onerror=document.title='taken'> [a](javascript:alert(1)) <b>bold</b>"

    page.say(bad)

    assert bad in page.one(".message.mine", "onerror").text
    assert "taken" not in page.browser.title
    assert page.browser.find_elements(By.CSS_SELECTOR, "#messages .text img, #messages .text b") == []


def speaking_replying_changing_and_deleting_in_a_group(page: Page, tmp_path: Path) -> None:
    page.go("Film club")
    page.choose("#speaker", "Bo")
    page.say("who cuts it?")
    page.choose("#speaker", "Ann")

    _choose(page, ".message:not(.mine)", "who cuts it?", "Reply")
    page.say("I do")
    mine = page.one(".message.mine", "I do")
    assert "Bo" in mine.find_element(By.CSS_SELECTOR, ".quote").text

    _choose(page, ".message.mine", "I do", "Edit")
    page.one("#text").send_keys(" it", Keys.ENTER)
    page.one(".message.mine", "I do it\nedited")

    _choose(page, ".message.mine", "I do it", "Delete")
    page.until(lambda: "I do it" not in page.one("#messages").text, "deleted")


def forwarding_from_a_channel_into_a_topic(page: Page, tmp_path: Path) -> None:
    page.go("Bo's clips")
    assert page.one("#read-only").text
    _choose(page, ".message", "A beach", "Forward")
    page.click("dialog button", "Studio · Music")

    assert "Forwarded from Bo's clips" in page.one(".message.mine", "A beach").text
    assert page.one("#chat-title").text == "Studio · Music"
    page.go("Studio · Trailer")
    assert "A beach" not in page.one("#messages").text


def files_are_attached_and_dropped(page: Page, tmp_path: Path) -> None:
    page.go("Film club")
    names = ["one.jpg", "two.jpg", "three.jpg"]
    files = [samples.make_photo(tmp_path / name, 320, 240) for name in names]
    page.browser.find_element(By.ID, "files").send_keys("\n".join(map(str, files)))
    assert [one.text.split("\n")[0] for one in page.all("#attached li")] == names
    page.say("holidays")

    def pictures() -> list[WebElement]:
        return page.one(".message.mine", "holidays").find_elements(By.CSS_SELECTOR, ".album img")

    page.until(lambda: len(pictures()) == 3, "all three pictures")
    album = pictures()
    # Of three pictures, the first fills a row.
    page.until(lambda: album[0].size["width"] > 1.8 * album[1].size["width"] > 0, "a mosaic")
    assert page.browser.execute_script(IS_AT_END)

    page.browser.execute_script(
        "const data = new DataTransfer(); data.items.add(new File(['<script>1</script>'], 'a page.html'));"
        "document.querySelector('#messages').dispatchEvent("
        "new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data}));"
    )
    page.click("#send")
    link = page.one(".message.mine a.file", "a page.html")
    assert str(link.get_attribute("href")).endswith("?download")


def the_panel_switches_and_shows(page: Page, tmp_path: Path) -> None:
    page.go("Ann")
    page.click("#panel-toggle")
    page.click("#panel [data-switch=noCredits]")
    page.say("make a 2 second video of a dog")
    page.answer("credits are used up", 40)
    page.one("#panel section[aria-label=Accounts] li", "0 credits")
    page.one("#panel section[aria-label=Jobs] li", "make a 2 second video of a dog")

    page.click("#panel header button", "Reset all")
    page.until(
        lambda: not page.one("#panel [data-switch=noCredits]").is_selected(), "the switch is off by itself"
    )
    page.one("#panel section[aria-label=Accounts] li", "100 credits")
    page.one("#panel header button").send_keys(Keys.ESCAPE)
    assert page.all("#panel") == []


def credits_and_accounts_to_log_in_with_are_in_the_panel(page: Page, tmp_path: Path) -> None:
    page.go("Ann")
    page.click("#panel-toggle")
    accounts = "#panel section[aria-label=Accounts] li"
    shown = page.until(
        lambda: page.one(accounts, "user_").text, "an account"
    )  # drawn anew whenever anything changes
    credits, name = int(re.findall(r"(\d+) credits", shown)[0]), shown.split()[0]
    page.click(accounts, name, within="button:first-of-type")
    page.one(accounts, f"{credits + 1000} credits")
    page.click(accounts, name, within="button:nth-of-type(2)")
    assert page.all("#panel") == []
    assert str(page.one("#text").get_attribute("value")).startswith("/login nmv_usr_")
    page.press(Keys.ENTER)
    page.answer(f"{credits + 1000:,}", 40)
    page.say("/logout")
    page.answer("guest", 40)


def the_bots_links_lead_to_pages(page: Page, tmp_path: Path) -> None:
    page.go("Ann")
    page.say("make a 1 second video of a cat")
    page.answer("made in", 60)
    page.say("/link")
    links = page.answer("keep it private", 40).find_elements(By.CSS_SELECTOR, ".keys a")
    assert len(links) == 2
    chat = page.browser.current_window_handle
    for link, words in zip(links, ("Your project", "Register"), strict=True):
        link.click()
        page.until(lambda: len(page.browser.window_handles) == 2, "the page opens")
        page.browser.switch_to.window(page.browser.window_handles[-1])
        page.until(partial(_is_titled, page, words), words)
        if words == "Register":
            page.browser.find_element(By.CSS_SELECTOR, "button").click()
            page.until(lambda: "/login nmv_usr_" in page.browser.page_source, "registered")
        page.browser.close()
        page.browser.switch_to.window(chat)


def _is_titled(page: Page, words: str) -> bool:
    return words in page.browser.title


def own_messages_jump_to_the_end(page: Page, tmp_path: Path) -> None:
    page.go("Film club")
    for text in ("\n".join("abcdefghijkl" * 3), "b"):
        page.say(text)
    page.browser.execute_script("document.querySelector('#messages').scrollTop = 0")
    page.until(lambda: not page.browser.execute_script(IS_AT_END), "somebody reads older ones")
    page.say("and now?")
    page.one(".message.mine", "and now?")
    page.until(lambda: page.browser.execute_script(IS_AT_END), "one's own message is in view")


def buttons_are_one_line_and_the_menu_lists_commands(page: Page, tmp_path: Path) -> None:
    size = page.browser.get_window_size()
    try:
        for width in (390, size["width"]):
            page.browser.set_window_size(width, 800)
            page.go("Ann")
            page.say("/skill")
            page.answer("skill", 20)
            page.until(lambda: page.all(".keys > *"), "buttons")
            tall = [key.text for key in page.all(".keys > *") if key.size["height"] > 48]
            assert tall == []
            page.click("#menu-button", "Menu")
            page.one("#commands li", "/help")
            page.click("#menu-button", "Menu")
            assert page.all("#commands li") == []
            assert page.browser.execute_script(NOTHING_SCROLLS_SIDEWAYS)
            page.until(lambda: page.browser.execute_script(IS_AT_END), "the newest message is in view")
    finally:
        page.browser.set_window_size(size["width"], size["height"])


def by_keyboard_on_a_phone_and_in_chinese(page: Page, tmp_path: Path) -> None:
    size = page.browser.get_window_size()
    try:
        page.browser.set_window_size(400, 800)
        page.until(lambda: not page.all("#messages"), "the list alone")
        page.one("#chat-list button", "小明").send_keys(Keys.ARROW_DOWN)
        assert "Film club" in page.browser.switch_to.active_element.text
        page.browser.switch_to.active_element.send_keys(Keys.ENTER)
        assert page.one("#chat-title").text == "Film club"
        width = page.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= page.browser.execute_script("return innerWidth")
        toggle = page.one("#panel-toggle")
        assert toggle.size["width"] < 60  # the title needs the room
        assert toggle.accessible_name == "Behind the scenes"
        page.click("#back")
        page.choose("#language", "中文")
        page.one("#chat-list button", "论坛")
        page.choose("#language", "EN")
        page.one("#chat-list button", "forum")
    finally:
        page.browser.set_window_size(size["width"], size["height"])


def by_keyboard_alone(page: Page, tmp_path: Path) -> None:
    page.tab_to("#chat-list button")
    for _ in range(page.index_in_list("小明")):
        page.press(Keys.ARROW_DOWN)
    page.press(Keys.ENTER)
    assert page.focused("#text")
    page.press("/settings", Keys.ENTER)
    page.answer("自动")
    last = "li:last-child .keys button"
    page.until(lambda: page.all(last), "buttons under the newest message")
    page.tab_to(last, back=True)
    page.tab_to("li:last-child .keys:first-child button", back=True)
    words = page.active().text
    page.press(Keys.ENTER)
    page.until(lambda: words not in page.all("#messages li")[-1].text, "the button does what it says")

    page.tab_to(".message:not(.mine) .more")
    page.press(Keys.ENTER)
    assert page.focused("#menu button")
    page.press(Keys.ESCAPE)
    assert page.focused(".more")

    page.tab_to("#panel-toggle", back=True)
    page.press(Keys.ENTER)
    page.tab_to("#panel input[data-switch=slowAgent]")
    before = _services(page)
    page.press(Keys.SPACE, Keys.SPACE)  # faster than the first is done
    page.tab_to("#panel input[data-switch=noExport]")
    page.press(Keys.SPACE)
    page.until(
        lambda: not _services(page)["settings"]["anonymous_may_render"], "switched on, after the others"
    )
    assert _services(page)["settings"]["pace"] == before["settings"]["pace"]
    page.press(Keys.SPACE)
    page.until(lambda: _services(page) == before, "switched off")
    page.tab_to("#panel section[aria-label='Calls to Telegram'] ul")  # it scrolls
    page.press(Keys.ESCAPE)
    assert page.all("#panel") == []
    assert page.focused("#panel-toggle")


def the_end_stays_in_view_when_there_is_less_room(page: Page, tmp_path: Path) -> None:
    size = page.browser.get_window_size()
    page.go("Film club")
    page.say("/help@sandbox_bot")
    page.answer("How it works")
    try:
        page.browser.set_window_size(size["width"], 500)
        page.until(lambda: page.browser.execute_script(IS_AT_END), "the newest message is in view")
        page.browser.execute_script("document.querySelector('#messages').scrollTop = 0")
        page.until(lambda: not page.browser.execute_script(IS_AT_END), "somebody reads older ones")
        page.browser.set_window_size(size["width"], 450)
        page.until(lambda: page.browser.execute_script("return innerHeight < 450"), "smaller")
        assert page.browser.execute_script("return document.querySelector('#messages').scrollTop") == 0
    finally:
        page.browser.set_window_size(size["width"], size["height"])


def commands_are_listed_as_soon_as_the_bot_has_them(page: Page, tmp_path: Path) -> None:
    page.go("Ann")
    page.browser.execute_async_script(GIVE_COMMANDS, [])
    page.one("#text").send_keys("/")
    assert page.all("#commands li") == []
    page.browser.execute_async_script(GIVE_COMMANDS, [{"command": "export", "description": "MP4"}])
    page.one("#commands li", "/export")


def every_switch_works(page: Page, tmp_path: Path) -> None:
    page.go("Ann")
    page.click("#panel-toggle")
    first = _services(page)
    assert not page.one("#panel [data-switch=out]").is_enabled()
    page.go("Studio · Trailer")
    for switch in page.all("#panel input[data-switch]"):
        switch.click()
        page.until(lambda: _services(page) != first, "something is switched")
        switch.click()
        page.until(lambda: _services(page) == first, f"{switch.get_attribute('data-switch')} is as before")
    for button in page.all("#panel button[data-switch]"):
        button.click()
        page.one("#toast", f"Done: {button.text}")
    page.click("#panel header button", "Reset all")
    page.until(lambda: "Waits for the next message" not in page.one("#panel").text, "nothing waits")


def _services(page: Page) -> dict[str, Any]:
    """What switches change."""
    panel = page.browser.execute_async_script(
        "const done = arguments[0]; fetch('panel').then((answer) => answer.json()).then(done);"
    )
    chats = page.browser.execute_async_script(
        "const done = arguments[0]; import(document.baseURI + 'store.js')"
        ".then(({ state }) => done([...state.chats.values()].map((chat) => [chat.blocked, chat.bot])));"
    )
    names = ("settings", "nemo_faults", "telegram_faults", "flood_limits")
    return {**{name: panel[name] for name in names}, "chats": chats}


def _choose(page: Page, selector: str, text: str, action: str) -> None:
    message = page.one(selector, text)
    message.find_element(By.CSS_SELECTOR, ".more").send_keys(Keys.ENTER)
    page.click("#menu button", action)


PARTS = (
    the_main_job,
    a_button_is_answered,
    what_people_write_is_text,
    speaking_replying_changing_and_deleting_in_a_group,
    forwarding_from_a_channel_into_a_topic,
    files_are_attached_and_dropped,
    the_panel_switches_and_shows,
    the_bots_links_lead_to_pages,
    credits_and_accounts_to_log_in_with_are_in_the_panel,
    own_messages_jump_to_the_end,
    buttons_are_one_line_and_the_menu_lists_commands,
    by_keyboard_on_a_phone_and_in_chinese,
    by_keyboard_alone,
    the_end_stays_in_view_when_there_is_less_room,
    commands_are_listed_as_soon_as_the_bot_has_them,
    every_switch_works,
)


@pytest.mark.timeout(600)  # a dozen parts in one browser, which has two cores with three other tests
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no chromium with its chromedriver here")
def test_the_page(tmp_path: Path, subtests: pytest.Subtests) -> None:
    with sandbox() as address, chromium(tmp_path / "profile") as browser:
        page = Page(browser, address)
        for part in PARTS:
            with subtests.test(part.__name__):
                page.open()
                part(page, tmp_path)
                assert page.complaints() == []
