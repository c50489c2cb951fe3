# SPDX-License-Identifier: MIT
"""Local names: hosts files and lease files that change, records and zones."""
import os
import pathlib
import re
import socket
import struct
import textwrap
import threading
import time

import dns.message
import dns.rcode
import dns.rdatatype
import pytest

import lies
import wire
from daemon import SLACK, run, write_config
from processes import Process, eventually
from test_control import control
from test_ctl import ctl
from test_defences import addresses_are
from test_reload import make_reloadable  # noqa: F401

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "local-names.md"
WITHIN = 1.0  # seconds from a change of a file to its effect
LAB = {"records": ["www.lab.example. 300 IN A 192.0.2.80", "$ORIGIN lab.example.", "far CNAME a.elsewhere.example.",
                   "near CNAME www", "*.apps CNAME far"],
       "zones": [{"name": "lab.example", "type": "static"}]}


def answers(daemon, name, rdtype="A"):
    return {record.to_text() for rrset in daemon.ask(name, rdtype).answer for record in rrset}


def soon(daemon, name, addresses):
    """Waits for these addresses; they must come in time."""
    began = time.monotonic()
    eventually(lambda: answers(daemon, name) == set(addresses), what=f"{name} to have {addresses}")
    assert time.monotonic() - began < WITHIN * SLACK


def replace(path, text):
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.chmod(0o644)
    new.rename(path)


@pytest.fixture
def hosts(public_path):
    path = public_path / "hosts"
    path.write_text("192.0.2.1 nas.lan nas\n2001:db8::1 nas.lan\n")
    return path


@pytest.fixture
def local(make_daemon, server, hosts):
    return make_daemon(server, hosts={"files": [str(hosts)]})


def test_a_hosts_file_is_answered(local, server):
    assert answers(local, "NAS.lan") == {"192.0.2.1"}
    assert answers(local, "nas.lan", "AAAA") == {"2001:db8::1"}
    assert answers(local, "1.2.0.192.in-addr.arpa", "PTR") == {"nas.lan."}
    for rdtype in "MX", "HTTPS":
        answer = local.ask("nas.lan", rdtype)
        assert answer.rcode() == 0 and not answer.answer and answer.authority[0].rdtype == dns.rdatatype.SOA
    assert local.ask("nas.lan", tcp=True).answer
    assert server.queries == []
    local.ask("other.lan")
    assert [query.name for query in server.queries] == ["other.lan"]
    assert control(local, "/stats").json["counters"]["hosts_answered"] == 6


def test_each_change_of_a_file_is_seen(local, hosts):
    with open(hosts, "a") as file:
        file.write("192.0.2.2 added.lan\n")
    soon(local, "added.lan", ["192.0.2.2"])
    for number in 3, 4:
        replace(hosts, f"192.0.2.{number} nas.lan\n")
        soon(local, "nas.lan", [f"192.0.2.{number}"])
    hosts.unlink()
    eventually(lambda: answers(local, "nas.lan") != {"192.0.2.4"})
    other = hosts.with_name("elsewhere")
    other.mkdir()
    (other / "file").write_text("192.0.2.5 nas.lan\n")
    hosts.symlink_to(other / "file")
    soon(local, "nas.lan", ["192.0.2.5"])
    replace(other / "file", "192.0.2.6 nas.lan\n")
    soon(local, "nas.lan", ["192.0.2.6"])


def test_a_directory_of_files(make_daemon, server, public_path):
    directory = public_path / "hosts.d"
    directory.mkdir()
    (directory / "a").write_text("192.0.2.1 a.lan\n")
    daemon = make_daemon(server, hosts={"files": [str(directory), str(public_path / "later")]})
    assert answers(daemon, "a.lan") == {"192.0.2.1"}
    (directory / "b").write_text("192.0.2.2 b.lan\n")
    soon(daemon, "b.lan", ["192.0.2.2"])
    (public_path / "later").write_text("192.0.2.3 c.lan\n")
    soon(daemon, "c.lan", ["192.0.2.3"])
    (directory / "a").unlink()
    eventually(lambda: answers(daemon, "a.lan") != {"192.0.2.1"})


def test_a_file_that_cannot_be_read_changes_nothing(local, hosts):
    hosts.chmod(0o600)
    os.chown(hosts, 0, 0)
    local.wait_line(r"warning config: hosts: .*/hosts: cannot be read: Permission denied$")
    local.wait_line(r"warning daemon: hosts: not all files could be read; what was read before stays in use")
    assert answers(local, "nas.lan") == {"192.0.2.1"}
    replace(hosts, "192.0.2.9 nas.lan\n")
    soon(local, "nas.lan", ["192.0.2.9"])


def test_bad_lines_are_named_once(local, hosts):
    hosts.write_text("192.0.2.1 nas.lan\n" + "bad line\n" * 12)
    local.wait_line(r"hosts: 2 more lines like these are ignored")
    hosts.write_text("192.0.2.2 nas.lan\n" + "bad line\n" * 12)
    soon(local, "nas.lan", ["192.0.2.2"])
    assert len(local.matching(r"hosts: .*/hosts:\d+: \"bad\" is not an address; the rest of the file is used")) == 10


def test_queries_go_on_while_a_large_file_is_read(make_reloadable, server, hosts, cleanup):  # noqa: F811
    """A reload in the middle has priority, and the file is read for its configuration."""
    daemon = make_reloadable(server, hosts={"files": [str(hosts)]}, workers=2)
    large = "".join(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255} host{number}.lan\n" for number in range(50000))
    stop = threading.Event()
    failed = []

    def query():
        with daemon.udp() as client:
            while not stop.is_set():
                if client.ask("nas.lan", "A").rcode() != 0:
                    failed.append("nas.lan")

    asking = threading.Thread(target=query)
    asking.start()
    cleanup.callback(stop.set)
    for number in 1, 2:
        replace(hosts, f"192.0.2.{number} nas.lan\n{large}")
        time.sleep(0.35)  # the file is about to be read
        daemon.reload()
        eventually(lambda: answers(daemon, "nas.lan") == {f"192.0.2.{number}"})
    assert answers(daemon, "host49999.lan") == {"10.0.195.79"}
    replace(hosts, "192.0.2.3 nas.lan\n")
    eventually(lambda: answers(daemon, "host49999.lan") != {"10.0.195.79"})
    stop.set()
    asking.join()
    assert not failed


def of_docs(section):
    """The blocks of a section of docs/local-names.md."""
    text = DOCS.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    return [textwrap.dedent(block).strip() + "\n" for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.M) if block.strip()]


def make_with_docs(make_daemon, server, path, text):
    (path / "conf.d").mkdir()
    (path / "conf.d" / "local.yaml").write_text(text)
    return make_daemon(server, directory=path)


def test_the_printer_of_the_docs(make_daemon, server, public_path):
    config, commands = of_docs("A printer with a name")[:2]
    daemon = make_with_docs(make_daemon, server, public_path, config)
    assert [daemon.dig(*command.split()[1:]).split() for command in commands.splitlines()] == [["192.0.2.9"], ["printer.lan."]]
    assert answers(daemon, "printer.lan", "AAAA") == {"2001:db8::9"}


def test_the_records_of_the_docs(make_daemon, server, public_path):
    daemon = make_with_docs(make_daemon, server, public_path, of_docs("Records of any type")[0])
    assert answers(daemon, "a.apps.lab.example") == {"www.lab.example.", "192.0.2.80"}
    assert answers(daemon, "_ldap._tcp.lab.example", "SRV") == {"0 0 389 www.lab.example."}
    assert daemon.ask("www.lab.example", "HTTPS").answer
    assert daemon.ask("mail.lab.example").answer and [query.name for query in server.queries] == ["mail.example.net"]


# --- leases ---

def discover(interface, host, mac):
    """A DHCPDISCOVER with rapid commit (RFC 4039): one message is enough for a lease."""
    options = b"\x63\x82\x53\x63\x35\x01\x01\x50\x00" + bytes([12, len(host)]) + host.encode() + b"\xff"
    message = struct.pack("!BBBBIHH16x16s64x128x", 1, 1, 6, 0, 7, 0, 0x8000, mac) + options
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        client.bind(("0.0.0.0", 68))
        client.sendto(message.ljust(300, b"\0"), ("255.255.255.255", 67))


def test_leases_of_dnsmasq(make_daemon, server, make_namespace, cleanup, public_path):
    leases = public_path / "dnsmasq.leases"
    namespace, client = make_namespace().up(), make_namespace().up()
    namespace.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "client", "netns", str(client.holder.pid))
    for command in "ip address add 192.0.2.1/24 dev lan", "ip link set lan up":
        namespace.run(*command.split())
    client.run("ip", "link", "set", "client", "up")
    daemon = make_daemon(server, hosts={"leases": [{"file": str(leases), "domain": "lan"}]})
    dnsmasq = Process([*namespace.prefix, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=lan", "--no-ping",
                       "--bind-interfaces", "--dhcp-rapid-commit", "--dhcp-authoritative", "--user=root",
                       "--dhcp-range=192.0.2.100,192.0.2.110,1h", f"--dhcp-leasefile={leases}"])
    cleanup.callback(dnsmasq.end)
    dnsmasq.wait_line("DHCP, IP range")
    client.call(lambda: discover("client", "Laptop", b"\x02\0\0\0\0\1"))
    eventually(lambda: "Laptop" in leases.read_text(), what="the lease")
    address = leases.read_text().split()[2]
    soon(daemon, "laptop.lan", [address])
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    assert answers(daemon, reverse, "PTR") == {"laptop.lan."}
    client.call(lambda: discover("client", "wpad", b"\x02\0\0\0\0\2"))
    client.call(lambda: discover("client", "phone", b"\x02\0\0\0\0\3"))
    eventually(lambda: answers(daemon, "phone.lan"), what="the second lease")
    server.queries.clear()
    daemon.ask("wpad.lan")
    assert [query.name for query in server.queries] == ["wpad.lan"]


KEA = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id\n"


def test_leases_of_kea_and_its_cleanup(make_daemon, server, public_path):
    """As Kea's kea-lfc does it: FILE becomes FILE.1, which is merged into FILE.2."""
    leases = public_path / "kea-leases4.csv"
    line = lambda address, host: f"{address},02:00:00:00:00:01,,3600,{int(time.time()) + 3600},1,0,0,{host},0,,0\n"
    leases.write_text(KEA + line("192.0.2.50", "laptop"))
    daemon = make_daemon(server, hosts={"leases": [{"file": str(leases), "domain": "lan"}]})
    assert answers(daemon, "laptop.lan") == {"192.0.2.50"}
    with open(leases, "a") as file:
        file.write(line("192.0.2.51", "phone.lan."))
    soon(daemon, "phone.lan", ["192.0.2.51"])
    leases.rename(leases.with_name(f"{leases.name}.1"))
    leases.write_text(KEA + line("192.0.2.50", "renamed"))
    soon(daemon, "renamed.lan", ["192.0.2.50"])
    assert answers(daemon, "phone.lan") == {"192.0.2.51"}
    assert answers(daemon, "laptop.lan") != {"192.0.2.50"}


# --- records and zones ---

def test_a_zone_is_served(make_daemon, server):
    daemon = make_daemon(server, **LAB)
    assert answers(daemon, "www.lab.example") == {"192.0.2.80"}
    assert [rrset.to_text() for rrset in daemon.ask("near.lab.example").answer] == [
        "near.lab.example. 3600 IN CNAME www.lab.example.", "www.lab.example. 300 IN A 192.0.2.80"]
    absent = daemon.ask("none.lab.example")
    assert absent.rcode() == dns.rcode.NXDOMAIN
    assert [rrset.to_text() for rrset in absent.authority] == [
        "lab.example. 300 IN SOA lab.example. nobody.invalid. 1 3600 1200 604800 300"]
    assert server.queries == []
    daemon.ask("lab.example", "DS")
    assert [query.name for query in server.queries] == ["lab.example"]
    assert control(daemon, "/stats").json["counters"]["records_answered"] == 3


def test_a_target_elsewhere_is_looked_up(make_daemon, server):
    daemon = make_daemon(server, **LAB)
    truth = {rrset.to_text() for rrset in daemon.ask("a.elsewhere.example").answer}
    assert truth
    for name in "far.lab.example", "far.lab.example", "q.apps.lab.example":
        answer = daemon.ask(name)
        assert answer.rcode() == 0
        shown = [rrset.to_text() for rrset in answer.answer]
        assert shown[-2].endswith("CNAME a.elsewhere.example.") and shown[-1].split()[0] == "a.elsewhere.example."
    assert [query.name for query in server.queries] == ["a.elsewhere.example"]
    assert daemon.ask("far.lab.example", tcp=True).answer


def test_a_target_that_fails(make_daemon, server):
    daemon = make_daemon(server, **LAB)
    with server.lying(twist=lies.large_failure):
        answer = daemon.ask("far.lab.example")
    assert answer.rcode() == dns.rcode.SERVFAIL
    eventually(lambda: daemon.ask("far.lab.example").rcode() == 0, timeout=10 * SLACK)


def test_a_client_of_the_target_gets_expired_data_beside_one_of_the_alias(make_daemon, server):
    daemon = make_daemon(server, workers=1, cache={"prefetch": False}, **LAB)
    with server.lying(twist=lies.ttl(1)):
        assert answers(daemon, "a.elsewhere.example")
    time.sleep(1.1)  # its TTL
    with server.lying(twist=lies.large_failure, delay=0.2), daemon.udp() as alias:
        alias.send(wire.query("far.lab.example", id=1))
        server.wait_for_queries("a.elsewhere.example", 2)
        answer = daemon.ask("a.elsewhere.example", edns=True)
        assert 3 in [code for code, _ in wire.extended_errors(answer)] and wire.addresses(answer)
        assert wire.parse(alias.receive()).rcode() == dns.rcode.SERVFAIL


def test_rebind_protection_holds_for_targets_elsewhere(make_daemon, server):
    records = ["far.lab.example. CNAME rebind.example.", "near.lab.example. A 192.168.1.1"]
    daemon = make_daemon(server, records=records, **{"rebind-protection": "yes"})
    with server.lying(twist=addresses_are("10.0.0.1")):
        for _ in range(2):  # a miss and a hit
            answer = daemon.ask("far.lab.example", edns=True)
            assert answer.rcode() == 0 and not answer.answer
    assert answers(daemon, "near.lab.example") == {"192.168.1.1"}
    assert control(daemon, "/stats").json["counters"]["responses_rebind"] == 2


def test_traces_show_the_steps(make_daemon, server, hosts):
    daemon = make_daemon(server, hosts={"files": [str(hosts)]}, **LAB)
    assert "records" in ctl(daemon, "trace", "www.lab.example")
    assert "hosts" in ctl(daemon, "trace", "nas.lan")


def test_local_data_goes_before_routes_and_special_names(make_daemon, make_server):
    first, second = make_server(), make_server()
    daemon = make_daemon(first.upstream(name="a"), second.upstream(name="b", role="routed"),
                         forward=[{"zones": ["corp.example"], "upstreams": ["b"]}],
                         records=["www.corp.example. A 192.0.2.1", "x.internal. A 192.0.2.2"])
    assert answers(daemon, "www.corp.example") == {"192.0.2.1"}
    assert answers(daemon, "x.internal") == {"192.0.2.2"}
    assert daemon.ask("y.internal").rcode() == dns.rcode.NXDOMAIN
    daemon.ask("mail.corp.example")
    assert [query.name for query in second.queries] == ["mail.corp.example"] and first.queries == []


def test_a_reload_changes_records(make_reloadable, server):  # noqa: F811
    reloadable = make_reloadable(server, **LAB)
    assert answers(reloadable, "www.lab.example") == {"192.0.2.80"}
    reloadable.reload(records=["www.lab.example. A 192.0.2.81"])
    assert answers(reloadable, "www.lab.example") == {"192.0.2.81"}


def test_a_reload_while_a_target_is_looked_up(make_reloadable, server):  # noqa: F811
    """The response for the previous target must not come behind the alias to another one."""
    reloadable = make_reloadable(server, **LAB)
    with server.lying(delay=1), reloadable.udp() as client:
        client.send(wire.query("far.lab.example"))
        eventually(lambda: server.queries)
        reloadable.reload(records=["far.lab.example. CNAME b.elsewhere.example."])
        assert dns.message.from_wire(client.receive()).rcode() == dns.rcode.SERVFAIL
    assert reloadable.ask("far.lab.example").answer[-1].name.to_text() == "b.elsewhere.example."


@pytest.mark.parametrize("config, expected", [
    ({"records": ["a.lab.example. A 192.0.2.1", "nonsense"]}, "yaml:4:5: records: "),
    ({**LAB, "records": ["a.other.example. A 192.0.2.1"]}, "records: a.other.example. is in none of zones; add its zone there"),
    ({"records": ["a.x. CNAME b.x.", "a.x. A 192.0.2.1"]}, "records: a.x. has a CNAME record and others; a CNAME must be alone"),
    ({"zones": [{"name": "a.example"}, {"name": "A.example."}]}, "zones: this zone is there already; remove one"),
    ({"zones": [{"name": "a.example"}], "forward": [{"zones": ["a.example"], "upstreams": ["quad9"]}]},
     "zones: a.example has a route in forward, too, which would never be used; remove one, or write type: transparent"),
    ({"zones": [{"name": "a.example", "type": "statik"}]}, 'did you mean "static"?'),
    ({"hosts": {"leases": [{"file": "/var/lib/misc/dnsmasq.leases"}]}}, "hosts.leases: this lease file has no domain"),
    ({"hosts": {"entries": [{"name": "A.localhost", "addresses": ["192.0.2.1"]}]}}, "A.localhost always means this machine; use another name"),
    ({"hosts": {"entries": [{"name": "a.lan", "addresses": ["fe80::1"]}]}}, "is a link-local address"),
])
def test_mistakes_have_a_place_and_a_remedy(public_path, config, expected):
    done = run("--check", "-c", write_config(public_path / "c.yaml", config))
    assert done.returncode != 0 and expected in done.stderr, done.stderr
