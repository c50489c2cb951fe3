# SPDX-License-Identifier: MIT
"""Chromium as a client of listen-https, with the policy of docs/phones.md: it loads a page by a name that only dotstub knows."""
import functools
import http.server
import json
import shutil
import subprocess
import threading

import pytest

import resolved
from processes import free_port
from test_control import control

pytestmark = [pytest.mark.whole, pytest.mark.plain]
PAGE = "page.home.arpa"  # an address record of this name is nowhere else
OWN = "192.0.2.77"       # of the machine
START = r"""
set -e
mount -t tmpfs none /etc/chromium
mkdir -p /etc/chromium/policies/managed /etc/chromium.d
cp "$0/policy.json" /etc/chromium/policies/managed/
mount --bind "$0/hosts" /etc/hosts
mount --bind "$0/resolv.conf" /etc/resolv.conf
mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf
exec env HOME="$0/home" "$@"
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.hosts.append(self.headers["Host"])
        body = b"<!doctype html><title>page</title><p>found by dotstub</p>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def network(make_namespace):
    """A machine whose only name server does not exist."""
    for program in ("chromium", "certutil"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed: packages chromium and libnss3-tools")
    return resolved.network(make_namespace())


@pytest.fixture
def page(network, cleanup):
    server = network.call(functools.partial(http.server.ThreadingHTTPServer, (OWN, 8080), Page))
    server.hosts = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    cleanup.callback(lambda: (server.shutdown(), thread.join(), server.server_close()))
    return server


@pytest.fixture
def daemon(make_daemon, make_server, network, certs, public_path):
    identity, port = certs.make("chromium", certs.authority, names=["dns.lan"]), free_port()
    return make_daemon(make_server(namespace=network), namespace=network, addresses=("127.0.0.1",), **{
        "listen-https": [f"127.0.0.1@{port}"], "tls-server": {"certificate": str(identity.chain_file), "key": str(identity.key_file)},
        "hosts": {"entries": [{"name": PAGE, "addresses": [OWN]}]}})


@pytest.fixture
def browse(network, daemon, certs, public_path):
    """A function that loads a page in a new Chromium and returns its elements. `mode` and `trusted`: its policy and whether it trusts the CA."""
    home = public_path / "home"
    store = home / ".pki/nssdb"

    def run(url, mode="secure", trusted=True):
        port = daemon.config["listen-https"][0].partition("@")[2]
        shutil.rmtree(home, ignore_errors=True)
        store.mkdir(parents=True)
        subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"], check=True, timeout=60)
        if trusted:
            subprocess.run(["certutil", "-A", "-d", f"sql:{store}", "-n", "tests", "-t", "C,,", "-i", certs.ca_file], check=True, timeout=60)
        for name, text in {"policy.json": json.dumps({"DnsOverHttpsMode": mode, "DnsOverHttpsTemplates": f"https://dns.lan:{port}/dns-query"}),
                           "hosts": "127.0.0.1 localhost dns.lan\n", "resolv.conf": "nameserver 192.0.2.1\noptions attempts:1 timeout:1\n",
                           "nsswitch.conf": "hosts: files dns\n"}.items():
            (public_path / name).write_text(text)
        done = subprocess.run([*network.prefix, "unshare", "--mount", "sh", "-c", START, str(public_path), "chromium", "--headless=new",
                               "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                               "--disable-background-networking", "--disable-component-update", f"--user-data-dir={home}/data",
                               "--dump-dom", url], capture_output=True, text=True, timeout=60)
        return done.stdout
    return run


def test_it_loads_a_page_by_a_name_of_dotstub(daemon, page, browse):
    shown = browse(f"http://{PAGE}:8080/")
    assert "found by dotstub" in shown and page.hosts[0] == f"{PAGE}:8080"
    counters = control(daemon, "/stats").json["counters"]
    assert counters["hosts_answered"] >= 1 and counters["tls_handshakes"] >= 1


def test_it_refuses_a_certificate_that_it_does_not_trust(daemon, page, browse):
    shown = browse(f"http://{PAGE}:8080/", trusted=False)
    assert "found by dotstub" not in shown and not page.hosts
    assert control(daemon, "/stats").json["counters"]["hosts_answered"] == 0
