# SPDX-License-Identifier: MIT
"""The window for a captive portal: dotstubctl portal."""
import os
import pwd
import re

import dns.rcode
import pytest

from capture import Capture
from daemon import USER
from processes import Process, eventually
from test_bootstrap import plain_names
from test_control import control, post
from test_ctl import call, ctl
from test_routes import COMPANY, names

PROBE = "captive.apple.com"


@pytest.fixture
def world(make_namespace):
    return make_namespace().up("192.0.2.1", COMPANY)


@pytest.fixture
def public(make_server, world):
    return make_server(address="192.0.2.1", port=853, namespace=world)


@pytest.fixture
def captive(world, cleanup):
    """The resolver of a network with a captive portal: every name has the portal's address."""
    server = Process([*world.prefix, "dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
                      f"--listen-address={COMPANY}", "--bind-interfaces", "--address=/#/10.0.0.99", "--log-facility=-", "--local-ttl=600"])
    cleanup.callback(server.end)
    server.wait_line("started")
    return server


def addresses(answer):
    return [str(data) for data in answer.answer[0]] if answer.answer else answer.rcode()


def test_the_listed_names_alone_go_out_in_plain(make_daemon, world, public, captive):
    public.refuse()
    capture = Capture(world)
    daemon = make_daemon(public, namespace=world)
    assert daemon.ask(PROBE).rcode() == dns.rcode.SERVFAIL
    assert "closed" in ctl(daemon, "portal", "status")
    assert re.match(rf"open for 5 min 0 s: these names are sent without encryption\n(  .+\n)*  {PROBE}", ctl(daemon, "portal", "open", "login.hotel.example", "--server", COMPANY))
    for name in PROBE, "detectportal.firefox.com", "login.hotel.example":
        answer = daemon.ask(name)
        assert addresses(answer) == ["10.0.0.99"] and answer.answer[0].ttl == 0
    for name in "a.example", "apple.com", f"x.{PROBE}", "hotel.example", "www.login.hotel.example":
        assert daemon.ask(name).rcode() == dns.rcode.SERVFAIL
    daemon.wait_line(rf"portal: {PROBE}. A was sent to {COMPANY}@53 without encryption")
    shown = ctl(daemon, "portal", "status")
    assert COMPANY in shown and "login.hotel.example" in shown
    state = control(daemon, "/portal").json
    assert state["open"] and state["lookups"] == 3 and 290 <= state["left_s"] <= 300
    # Each is sent again: it is not cached.
    daemon.ask(PROBE)
    assert control(daemon, "/portal").json["lookups"] == 4
    assert ctl(daemon, "portal", "close") == "closed\n"
    daemon.wait_line("portal: closed: as asked")
    assert daemon.ask(PROBE).rcode() == dns.rcode.SERVFAIL
    assert not control(daemon, "/portal").json["open"]
    daemon.stop()
    assert plain_names(capture.stop(world)) == {f"{PROBE}.", "detectportal.firefox.com.", "login.hotel.example."}


def test_an_encrypted_response_closes_the_window(make_daemon, world, public, captive):
    public.refuse()
    daemon = make_daemon(public, namespace=world, workers=2)
    ctl(daemon, "portal", "open", "--server", COMPANY)
    assert addresses(daemon.ask(PROBE)) == ["10.0.0.99"]
    public.restore()
    eventually(lambda: daemon.ask("a.example").rcode() == 0)
    daemon.wait_line("portal: closed: an encrypted upstream answers")
    eventually(lambda: daemon.ask(PROBE).rcode() == 0 and PROBE in names(public), what="an encrypted query for the name")
    # Again, at once.
    ctl(daemon, "portal", "open", "--server", COMPANY)
    daemon.ask("b.example")
    daemon.wait_line("portal: closed: an encrypted upstream answers", times=2)


def test_the_window_ends_with_its_time_and_with_the_process(make_daemon, world, public, captive, public_path):
    folder = public_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
    saving = {"save-file": str(folder / "cache")}
    public.refuse()
    daemon = make_daemon(public, namespace=world, cache=saving)
    ctl(daemon, "portal", "open", "--server", COMPANY, "--for", "1s")
    daemon.wait_line("portal: closed: its time is over")
    ctl(daemon, "portal", "open", "--server", COMPANY)
    ctl(daemon, "portal", "open", "--server", COMPANY)  # instead of the first one
    assert len([route for route in control(daemon, "/forward").json["routes"] if route["from"] == "portal"]) == 1
    daemon.stop()
    second = make_daemon(public, namespace=world, cache=saving)
    assert not control(second, "/portal").json["open"]


def test_what_is_refused(make_daemon, world, public):
    daemon = make_daemon(public, namespace=world, portal={"names": [PROBE]})
    assert "an hour at most" in ctl(daemon, "portal", "open", "--server", COMPANY, "--for", "2h", status=78)
    assert "plain: yes is for the servers of to" in ctl(daemon, "portal", "open", "--server", "quad-nine.example", status=78)
    assert "nope0 does not exist or is down" in ctl(daemon, "portal", "open", "--server", COMPANY, "--interface", "nope0", status=78)
    assert "is not a domain name" in ctl(daemon, "portal", "open", "a b", "--server", COMPANY, status=78)
    assert post(daemon, "/portal/open").status == 400
    assert control(daemon, "/portal").json == {"open": False, "names": [f"{PROBE}."], "servers": [], "interface": None, "left_s": None, "lookups": 0}
