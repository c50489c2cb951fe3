# SPDX-License-Identifier: MIT
"""The status page in Chromium: contents, both colour schemes, phone width, and the requests that it sends. Run by tests/page."""
import contextlib
import json
import os
import pathlib
import re
import threading

import pytest

from processes import eventually, free_port
from test_page import TOKEN, token_file
from test_store import redis, store  # noqa: F401 (fixtures)

pytestmark = pytest.mark.browser

PICTURES = pathlib.Path(os.environ.get("TEST_PICTURES", "/tmp"))
WIDE, PHONE = (1100, 1080), (320, 1800)


@pytest.fixture
def browser():
    from selenium import webdriver
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                     "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(service=webdriver.chrome.service.Service("/usr/bin/chromedriver"), options=options)
    driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
    yield driver
    driver.quit()


@pytest.fixture
def busy(make_daemon, make_server, public_path):
    """A daemon with two upstreams, one of them unreachable, under steady queries; one query was slow."""
    quick, gone = make_server(), make_server()
    gone.refuse()
    upstreams = [{**quick.upstream(), "name": "google"}, {**gone.upstream(), "name": "elsewhere", "role": "backup"}]
    port = free_port("127.0.0.1")
    daemon = make_daemon(*upstreams, log={"slow": "200ms"},
                         metrics={"listen": f"127.0.0.1@{port}", "names": True, "token-file": str(token_file(public_path))})
    daemon.url = f"http://127.0.0.1:{port}/"
    with quick.lying(delay=0.25):
        daemon.ask("slow.example", "AAAA")
    with steadily(lambda n: daemon.ask(f"n{n * n % 12}.example" if n % 4 else f"new{n}.example")):
        yield daemon


@contextlib.contextmanager
def steadily(ask):
    over = threading.Event()

    def run():
        n = 0
        while not over.wait(0.05):
            n += 1
            with contextlib.suppress(Exception):  # the test may have stopped the daemon
                ask(n)
    thread = threading.Thread(target=run)
    thread.start()
    yield
    over.set()
    thread.join()


def dress(browser, size, scheme):
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


def picture(browser, name):
    PICTURES.mkdir(exist_ok=True)
    browser.save_screenshot(str(PICTURES / f"{name}.png"))


def seen(browser, selector):
    return browser.find_element("css selector", selector).text


def number(browser, selector):
    found = re.search(r"[\d,.]+", seen(browser, selector))
    return float(found.group().replace(",", "")) if found else None


def requests_since_last_call(browser):
    """All requests since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"] for event in events if event["method"] == "Network.requestWillBeSent"]


def console_errors(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def open_page(browser, url):
    browser.get(url)
    eventually(lambda: number(browser, "#rate") is not None, what="a rate", timeout=20)


@pytest.mark.parametrize("size, form", [(WIDE, "wide"), (PHONE, "phone")])
def test_contents(browser, busy, size, form):
    """Counters grow, upstreams and the slow query are listed, in both schemes; nothing is wider than the window."""
    dress(browser, size, "light")
    open_page(browser, busy.url + "?token=" + TOKEN)
    before = number(browser, "#totals dd")
    eventually(lambda: number(browser, "#totals dd") > before, what="another number", timeout=20)
    eventually(lambda: len(browser.find_element("css selector", "#all").get_attribute("d")) > 40, what="a graph", timeout=30)
    assert "slow.example." in seen(browser, "#recent") and "google" in seen(browser, "#servers")
    assert "OK" in seen(browser, "#state")
    grounds = set()
    for scheme in ("light", "dark"):
        dress(browser, size, scheme)
        grounds.add(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        picture(browser, f"{form}-{scheme}")
    assert len(grounds) == 2 and not console_errors(browser)


def test_a_store_has_its_own_section(browser, busy, make_daemon, server, store):
    open_page(browser, busy.url)
    assert not browser.find_element("css selector", "#store").is_displayed()
    port = free_port("127.0.0.1")
    daemon = make_daemon(server, store=store, metrics={"listen": f"127.0.0.1@{port}"})
    daemon.wait_line("store: .* connected")
    for name in "abcde":
        daemon.ask(f"{name}.example")
    open_page(browser, f"http://127.0.0.1:{port}/")
    assert store["servers"][0] in seen(browser, "#stores") and "ready" in seen(browser, "#stores")
    assert "of 5 values asked" in seen(browser, "#store-note") and not console_errors(browser)


def test_no_requests_to_other_hosts_and_no_token_in_the_url(browser, busy):
    dress(browser, WIDE, "light")
    open_page(browser, busy.url + "?token=" + TOKEN)
    assert TOKEN not in browser.current_url
    requests = requests_since_last_call(browser)
    assert len(requests) > 1 and all(request["url"].startswith(busy.url) for request in requests)
    assert not console_errors(browser)


def test_no_names_without_the_token(browser, busy):
    dress(browser, WIDE, "light")
    open_page(browser, busy.url)
    eventually(lambda: "slow" in seen(browser, "#recent"), what="the slow query", timeout=20)
    assert "slow.example." not in browser.page_source
    browser.find_element("css selector", "#token").send_keys(TOKEN + "\n")
    eventually(lambda: "slow.example." in seen(browser, "#recent"), what="its name", timeout=20)


def test_an_unreachable_daemon(browser, busy):
    dress(browser, WIDE, "light")
    open_page(browser, busy.url)
    busy.stop()
    eventually(lambda: "Unreachable since" in seen(browser, "#state"), what="the error", timeout=20)
