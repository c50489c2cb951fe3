# SPDX-License-Identifier: MIT
"""Clients beyond loopback: cookies, response rate limit, ANY over UDP, denied clients, NSID, rebinding protection; with dig and dnspython."""
import itertools
import json
import re
import socket
import subprocess

import pytest

import wire
from clients import Silence, UdpClient
from test_ctl import ctl
from test_reload import make_reloadable  # noqa: F401 (fixture)

OUTSIDE, OUTSIDE6, OTHER = "192.0.2.1", "2001:db8::1", "192.0.2.2"
BADCOOKIE, NSID = 23, 3
CLIENT_COOKIE = bytes(range(8))


@pytest.fixture
def lan(make_namespace, make_server, make_reloadable):
    """lan(...): a daemon and its upstream; clients are at OUTSIDE and OTHER, addresses of the same machine."""
    namespace, ports = make_namespace().up(OUTSIDE, OUTSIDE6, OTHER), itertools.count(5300)

    def make(**options):
        server = make_server(namespace=namespace)
        options.setdefault("access", {}).setdefault("allow", ["127.0.0.0/8", "::1", "192.0.2.0/24", "2001:db8::/32"])
        daemon = make_reloadable(server, namespace=namespace, port=next(ports), addresses=("127.0.0.1", "::1", OUTSIDE, OUTSIDE6), **options)
        daemon.server = server
        return daemon
    return make


def client_at(daemon, address):
    """A client whose source address is `address`."""
    target = OUTSIDE6 if ":" in address else OUTSIDE
    return UdpClient(target, daemon.port, source=(address, 0), make=daemon.namespace.socket)


def ask(daemon, name, rdtype="A", address=OUTSIDE, **parts):
    with client_at(daemon, address) as client:
        return client.ask(name, rdtype, **parts)


def counters(daemon):
    return json.loads(ctl(daemon, "--json", "stats"))["counters"]


def dig(daemon, *arguments):
    return subprocess.run([*daemon.prefix, "dig", f"@{OUTSIDE}", "-b", OUTSIDE, "-p", str(daemon.port), "+tries=1", "+timeout=5",
                           *arguments], capture_output=True, text=True, timeout=30, check=True).stdout


# Cookies.

def test_a_cookie_is_learned_and_proves_the_address(lan):
    daemon = lan()
    first = ask(daemon, "a.example", options=[(wire.COOKIE, CLIENT_COOKIE)])
    cookie = wire.option(first, wire.COOKIE)
    assert first.rcode() == 0 and len(cookie) == 24 and cookie[:8] == CLIENT_COOKIE and cookie[8:12] == b"\1\0\0\0"
    again = ask(daemon, "a.example", options=[(wire.COOKIE, cookie)])
    assert wire.option(again, wire.COOKIE) == cookie
    assert counters(daemon)["cookies_valid"] == 1 and counters(daemon)["cookies_invalid"] == 0
    elsewhere = ask(daemon, "a.example", address=OTHER, options=[(wire.COOKIE, cookie)])
    assert elsewhere.rcode() == 0 and wire.option(elsewhere, wire.COOKIE)[8:] != cookie[8:]
    assert counters(daemon)["cookies_invalid"] == 1


def test_over_ipv6_and_for_every_kind_of_response(lan):
    daemon = lan()
    for name, rdtype in [("a.example", "A"), ("a.example", "A"), ("nx.example", "A"), ("big3000.example", "TXT"), ("x.test", "A"),
                         ("a.example", "AXFR"), ("servfail.example", "A")]:
        for address in (OUTSIDE, OUTSIDE6):
            answer = ask(daemon, name, rdtype, address, options=[(wire.COOKIE, CLIENT_COOKIE)])
            assert len(wire.option(answer, wire.COOKIE)) == 24, (name, rdtype, address)


def test_a_miss_that_waits_gets_the_cookie_of_its_query(lan):
    daemon = lan()
    with daemon.server.lying(delay=0.2):
        answer = ask(daemon, "slow.example", options=[(wire.COOKIE, b"12345678")])
    assert wire.option(answer, wire.COOKIE)[:8] == b"12345678"


def test_dig_learns_a_cookie_by_itself(lan):
    daemon = lan()
    first = dig(daemon, "a.example", "+cookie=0011223344556677")
    cookie = re.search(r"COOKIE: (0011223344556677[0-9a-f]{32}) \(good\)", first).group(1)
    assert f"COOKIE: {cookie} (good)" in dig(daemon, "a.example", f"+cookie={cookie}")
    assert counters(daemon)["cookies_valid"] == 1


@pytest.mark.parametrize("length", [0, 7, 9, 15, 41])
def test_a_cookie_of_another_length_is_a_format_error(lan, length):
    daemon = lan()
    answer = ask(daemon, "a.example", options=[(wire.COOKIE, bytes(length))])
    assert answer.rcode() == 1 and wire.option(answer, wire.COOKIE) is None
    assert not daemon.server.queries


def test_a_query_without_a_question_gets_the_cookie(lan):
    daemon = lan()

    def exchange(cookie, address=OUTSIDE):
        with client_at(daemon, address) as client:
            return wire.parse(client.exchange(wire.message(question=b"", additional=[wire.opt(options=[(wire.COOKIE, cookie)])])))

    answer = exchange(CLIENT_COOKIE)
    cookie = wire.option(answer, wire.COOKIE)
    assert answer.rcode() == 0 and not answer.question and len(cookie) == 24
    assert exchange(cookie).rcode() == 0
    forged = cookie[:-1] + bytes([cookie[-1] ^ 1])
    answer = exchange(forged)
    assert answer.rcode() == BADCOOKIE and wire.option(answer, wire.COOKIE)[:8] == CLIENT_COOKIE
    plain = wire.message(question=b"", additional=[wire.opt()])
    with client_at(daemon, OUTSIDE) as client:
        assert wire.parse(client.exchange(plain)).rcode() == 1
    with daemon.udp() as client:
        on_loopback = wire.message(question=b"", additional=[wire.opt(options=[(wire.COOKIE, CLIENT_COOKIE)])])
        assert wire.parse(client.exchange(on_loopback)).rcode() == 1


def test_none_on_loopback_and_none_if_off(lan):
    daemon = lan()
    answer = daemon.ask("a.example", options=[(wire.COOKIE, CLIENT_COOKIE)])
    assert answer.rcode() == 0 and wire.option(answer, wire.COOKIE) is None
    assert daemon.ask("a.example", options=[(wire.COOKIE, b"short")]).rcode() == 0
    off = lan(cookies=False)
    assert wire.option(ask(off, "a.example", options=[(wire.COOKIE, CLIENT_COOKIE)]), wire.COOKIE) is None


def test_a_fleet_shares_its_secrets_and_rolls_them_over(lan, public_path):
    old, new = "e5e973e5a6b2a43f48e7dc849e37bfcf", "445536bcd2513298075a5d379663c962"
    files = [public_path / "one", public_path / "two"]
    for file in files:
        file.write_text(old + "\n")
    one, two = (lan(**{"cookie-secret-file": str(file)}) for file in files)

    def cookie_of(daemon, cookie=CLIENT_COOKIE):
        return wire.option(ask(daemon, "a.example", options=[(wire.COOKIE, cookie)]), wire.COOKIE)

    def write(number, *secrets):
        files[number].write_text("\n".join(secrets) + "\n")
        ctl((one, two)[number], "reload")

    cookie = cookie_of(one)
    assert cookie_of(two, cookie) == cookie
    write(0, old, new)
    write(1, old, new)
    assert cookie_of(two, cookie) == cookie
    write(0, new, old)
    renewed = cookie_of(one, cookie)
    assert renewed != cookie and counters(one)["cookies_invalid"] == 0
    assert cookie_of(two, renewed)[:8] == CLIENT_COOKIE and counters(two)["cookies_invalid"] == 0
    write(0, new)
    cookie_of(one, cookie)
    assert counters(one)["cookies_invalid"] == 1


def test_workers_accept_each_others_cookies(lan):
    daemon = lan(workers=3)
    cookie = wire.option(ask(daemon, "a.example", options=[(wire.COOKIE, CLIENT_COOKIE)]), wire.COOKIE)
    for _ in range(20):  # each from another port, so to any of the workers
        assert wire.option(ask(daemon, "a.example", options=[(wire.COOKIE, cookie)]), wire.COOKIE) == cookie
    assert counters(daemon)["cookies_valid"] == 20


def test_a_secret_file_that_cannot_be_used(make_daemon, server, public_path):
    secrets = public_path / "secrets"
    secrets.write_text("secret\n")
    daemon = make_daemon(server, access={"allow": ["0.0.0.0/0"]}, **{"cookie-secret-file": str(secrets)}, wait=False)
    assert daemon.wait_exit() == 78 and daemon.matching("cookie-secret-file: .* must have 1 to 4 lines of 32 hexadecimal digits")


# ANY.

def test_any_over_udp_needs_a_cookie(lan):
    daemon = lan()
    answer = ask(daemon, "a.example", "ANY")
    assert answer.flags & wire.TC and not answer.answer and not daemon.server.queries
    learning = ask(daemon, "a.example", "ANY", options=[(wire.COOKIE, CLIENT_COOKIE)])
    assert learning.rcode() == BADCOOKIE and not learning.flags & wire.TC and not daemon.server.queries
    answer = ask(daemon, "a.example", "ANY", options=[(wire.COOKIE, wire.option(learning, wire.COOKIE))])
    assert answer.rcode() == 0 and not answer.flags & wire.TC and daemon.server.queries
    assert "status: NOERROR" in dig(daemon, "a.example", "ANY", "+notcp", "+cookie")


# The rate limit.

def limited(answers):
    return [answer for answer in answers if answer.flags & wire.TC or answer.rcode() == BADCOOKIE]


def test_beyond_the_limit_clients_are_sent_to_tcp(lan):
    daemon = lan(**{"rate-limit": {"responses": 10}})
    with client_at(daemon, OUTSIDE) as client:
        client.ask("a.example")
        answers = [client.ask("a.example", edns=True) for _ in range(100)]
    over = limited(answers)
    assert 70 <= len(over) <= 91 and all(answer.flags & wire.TC and not answer.answer for answer in over)
    assert all(answer.answer for answer in answers if answer not in over)
    assert counters(daemon)["responses_limited"] == len(over)
    with daemon.tcp(OUTSIDE) as client:
        assert all(client.ask("a.example").answer for _ in range(100))
    assert "ANSWER: 1" in dig(daemon, "a.example", "+nocookie")  # over TCP, if necessary


def test_holders_of_cookies_are_not_limited(lan):
    daemon = lan(**{"rate-limit": {"responses": 1}})
    with client_at(daemon, OUTSIDE) as client:
        answers = [client.ask("a.example", options=[(wire.COOKIE, CLIENT_COOKIE)]) for _ in range(20)]
        badcookie = limited(answers)
        assert len(badcookie) >= 15 and all(answer.rcode() == BADCOOKIE and not answer.flags & wire.TC for answer in badcookie)
        cookie = wire.option(badcookie[0], wire.COOKIE)
        assert all(client.ask("a.example", options=[(wire.COOKIE, cookie)]).answer for _ in range(100))
    for _ in range(5):
        output = dig(daemon, "a.example", "+cookie")
        assert "status: NOERROR" in output and "ANSWER: 1" in output


def test_other_networks_and_loopback_are_not_limited(lan):
    daemon = lan(**{"rate-limit": {"responses": 5}})
    with client_at(daemon, OUTSIDE) as client:
        assert limited([client.ask("a.example") for _ in range(50)])
    assert limited([ask(daemon, "a.example", address=OTHER)])
    assert not limited([ask(daemon, "a.example", address=OUTSIDE6)])
    with daemon.udp() as client:
        assert not limited([client.ask("a.example") for _ in range(50)])


def test_local_responses_are_limited_too(lan):
    daemon = lan(**{"rate-limit": {"responses": 5}}, identity={"version": "x" * 255})
    for name, parts in (("version.bind", {"klass": 3}), ("localhost", {}), ("a.test", {})):
        with client_at(daemon, OUTSIDE) as client:
            assert limited([client.ask(name, "TXT", **parts) for _ in range(30)])


def test_the_limit_changes_with_a_reload(lan):
    daemon = lan()
    with client_at(daemon, OUTSIDE) as client:
        assert not limited([client.ask("a.example") for _ in range(50)])
        daemon.reload(**{"rate-limit": {"responses": 2}})
        assert limited([client.ask("a.example") for _ in range(50)])


# Single clients, NSID.

def test_a_client_may_be_denied(lan):
    daemon = lan(access={"deny-clients": [OTHER, "2001:db8::/64"]})
    assert ask(daemon, "a.example").rcode() == 0
    for address in (OTHER, OUTSIDE6):
        answer = ask(daemon, "a.example", address=address, edns=True)
        assert answer.rcode() == 5 and wire.extended_errors(answer)[0][0] == 18
    dropping = lan(access={"deny-clients": [OTHER], "deny": "drop"})
    with pytest.raises(Silence):
        with client_at(dropping, OTHER) as client:
            client.ask("a.example", timeout=0.5)
    assert ask(dropping, "a.example").rcode() == 0


def test_nsid_is_the_hostname(lan):
    daemon = lan(identity={"hostname": "box-1"}, access={"deny-clients": [OTHER]})
    for name in ("a.example", "a.example", "localhost"):
        assert wire.option(ask(daemon, name, options=[(NSID, b"")]), NSID) == b"box-1"
    assert wire.option(ask(daemon, "a.example", edns=True), NSID) is None
    assert wire.option(ask(daemon, "a.example", address=OTHER, options=[(NSID, b"")]), NSID) is None
    assert '("box-1")' in daemon.dig("a.example", "+nsid")
    silent = lan()
    assert wire.option(ask(silent, "a.example", options=[(NSID, b"")]), NSID) is None


# Rebinding.

def addresses_are(*addresses):
    """A change of the server's behaviour: its responses to A and AAAA have these addresses."""
    def twist(query, truth):
        kind = socket.AF_INET if query.type == 1 else socket.AF_INET6
        records = [wire.rr(b"\xc0\x0c", query.type, socket.inet_pton(kind, address)) for address in addresses
                   if (":" in address) == (query.type == 28)]
        return [wire.message(question=wire.question_section(query.data), id=query.question.id, answers=records,
                             flags=wire.QR | wire.RD | wire.RA | wire.AD, additional=[wire.opt()])]
    return twist


def is_blocked(answer):
    blocked = 15 in [code for code, _ in wire.extended_errors(answer)]
    assert answer.rcode() == 0 and bool(answer.answer) != blocked
    assert not (blocked and answer.flags & wire.AD)
    return blocked


@pytest.mark.parametrize("address", ["192.168.1.1", "10.0.0.1", "127.0.0.1", "0.0.0.0", "169.254.1.1", "100.64.0.1", "fd00::1",
                                     "fe80::1", "::1", "::", "::ffff:192.168.1.1", "64:ff9b::a00:1"])
def test_a_private_address_becomes_nodata(lan, address):
    daemon = lan()
    rdtype = "AAAA" if ":" in address else "A"
    public = "2600::1" if ":" in address else "198.51.100.1"
    with daemon.server.lying(twist=addresses_are(public, address)):
        for _ in range(2):  # a miss and a hit
            assert is_blocked(ask(daemon, "rebind.example", rdtype, do=True))
        assert not is_blocked(daemon.ask("rebind.example", rdtype, do=True))
    with daemon.server.lying(twist=addresses_are(public)):
        assert not is_blocked(ask(daemon, "fine.example", rdtype, do=True))
    assert counters(daemon)["responses_rebind"] == 2


def test_allowed_names_and_block_lists(lan):
    daemon = lan(**{"rebind-allow": ["corp.example"]})
    with daemon.server.lying(twist=addresses_are("127.0.0.2")):
        assert not is_blocked(ask(daemon, "a.corp.example", edns=True))
        assert not is_blocked(ask(daemon, "2.0.0.127.list.example", edns=True))
        assert is_blocked(ask(daemon, "www.example", edns=True))
    assert wire.addresses(ask(daemon, "localhost")) == ["127.0.0.1"]


def test_protection_may_be_off_or_on_for_all(lan):
    off, on = lan(**{"rebind-protection": "no"}), lan(**{"rebind-protection": "yes"})
    for daemon, blocked in ((off, False), (on, True)):
        with daemon.server.lying(twist=addresses_are("10.0.0.1")):
            assert is_blocked(ask(daemon, "a.example", edns=True)) == blocked
            assert is_blocked(daemon.ask("a.example", edns=True)) == blocked


def test_a_trace_names_the_step_that_replaced_the_response(lan):
    daemon = lan(**{"rebind-protection": "yes"})
    with daemon.server.lying(twist=addresses_are("10.0.0.1")):
        told = json.loads(ctl(daemon, "--json", "trace", "a.example"))
        assert told["replaced_by"] == "rebind" and told["answer_records"] == 0 and told["step"] == "lookup"
        assert re.search("response replaced +by step rebind", ctl(daemon, "trace", "b.example"))
    assert json.loads(ctl(daemon, "--json", "trace", "c.example"))["replaced_by"] is None
