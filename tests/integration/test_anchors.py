# SPDX-License-Identifier: MIT
"""Changes of the root's trust anchors (RFC 5011), below a root of our own whose keys the test makes and signs. libfaketime moves
the wall clock between two runs of the daemon, which asks for the root's keys soon after each start."""
import json
import shutil
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataset
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import wire
from processes import eventually
from test_clock import DAY, clock, old_authority  # noqa: F401
from test_ctl import ctl
from test_reload import Reloadable

pytestmark = pytest.mark.plain  # sanitizers do not work with a preloaded library
ROOT = dns.name.root
TTL = 172800


class Key:
    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = self.form(257)

    def form(self, flags):
        return dns.dnssec.make_dnskey(self.private.public_key(), "ECDSAP256SHA256", flags=flags)

    def revoke(self):
        self.dnskey = self.form(257 | 0x80)

    @property
    def tag(self):
        return dns.dnssec.key_id(self.form(257))

    def ds(self):
        return f". IN DS {dns.dnssec.make_ds(ROOT, self.form(257), 'SHA256').to_text()}\n"


class Root:
    """The twist of a server that has a root with these keys, of which some sign; its clock is `ahead` seconds ahead."""
    ahead, keys, signers = 0, (), ()

    def publish(self, keys, signers):
        self.keys, self.signers = keys, signers

    def signed(self, rdataset, signers):
        now = int(time.time()) + self.ahead
        signatures = [dns.dnssec.sign((ROOT, rdataset), key.private, ROOT, key.dnskey, inception=now - DAY, expiration=now + 20 * DAY)
                      for key in signers]
        return [dns.rrset.from_rdata_list(ROOT, rdataset.ttl, rdatas) for rdatas in (list(rdataset), signatures)]

    def answer(self, query):
        if query.question[0].name == ROOT and query.question[0].rdtype == dns.rdatatype.DNSKEY:
            return self.signed(dns.rdataset.from_rdata_list(TTL, [key.dnskey for key in self.keys]), self.signers)
        soa = dns.rdata.from_text("IN", "SOA", "ns.example. host.example. 1 7200 3600 604800 300")
        return self.signed(dns.rdataset.from_rdata_list(300, [soa]), [key for key in self.signers if not key.dnskey.flags & 0x80][:1])

    def twist(self, query, truth):
        query = dns.message.from_wire(query.data)
        response = dns.message.make_response(query, recursion_available=True)
        response.answer = self.answer(query)
        return [response.to_wire(max_size=65535)]


@pytest.fixture
def state(public_path):
    directory = public_path / "state"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


@pytest.fixture
def old():
    return Key()


@pytest.fixture
def root(old):
    root = Root()
    root.publish([old], [old])
    return root


@pytest.fixture
def anchor_file(public_path, old):
    path = public_path / "anchors"
    path.write_text(old.ds())
    return path


def settings(state, anchor_file, **dnssec):
    return {"workers": 2, "cache": {"save-file": str(state / "cache")},
            "dnssec": {"mode": "validate", "trust-anchors": str(anchor_file), "track-root": "yes", **dnssec}}


@pytest.fixture
def run(make_server, certs, clock, old_authority, state, anchor_file, root, public_path, cleanup):  # noqa: F811
    """run(days): a daemon whose clock, like that of the root, is that number of days ahead; it has looked up the root's keys once."""
    server = make_server(certs.make("long-lived", old_authority, names=["dns.google"], days=(-365, 365)))
    server.twist = root.twist
    authority = shutil.copy(old_authority.chain_file, public_path / "ca.pem")

    def start(days, **dnssec):
        root.ahead = days * DAY
        clock.set(root.ahead)
        daemon = Reloadable(public_path, [server.upstream()], ca_file=authority, variables=clock.variables, **clock.options,
                            **settings(state, anchor_file, **dnssec))
        cleanup.callback(lambda: daemon.stop() if daemon.running else daemon.check_log())
        if "track-root" not in dnssec:
            eventually(lambda: anchors(daemon)["next_query_s"] is not None and
                       (anchors(daemon)["good_query_s_ago"] is not None or anchors(daemon)["last_error"]), 8, "the root's keys")
        return daemon
    return start


def anchors(daemon):
    return json.loads(ctl(daemon, "--json", "dnssec", "anchors"))


def states(daemon):
    return {one["key_tag"]: one["state"] for one in anchors(daemon)["anchors"]}


def is_secure(daemon):
    response = daemon.ask(".", "SOA", do=True)
    assert response.rcode() in (0, 2)
    return bool(response.rcode() == 0 and response.flags & wire.AD)


def test_a_new_key_is_accepted_after_30_days(run, root, old):
    new = Key()
    root.publish([old, new], [old])
    daemon = run(0)
    assert states(daemon) == {old.tag: "valid", new.tag: "pending"}
    daemon.stop()
    root.publish([old, new], [old, new])
    daemon = run(31)
    assert states(daemon) == {old.tag: "valid", new.tag: "valid"}
    root.publish([new], [new])
    eventually(lambda: is_secure(daemon), what="an answer signed by the new key alone")


@pytest.mark.whole
def test_one_key_follows_another(run, root, old, state):
    new = Key()
    root.publish([old, new], [old])
    daemon = run(0)
    assert states(daemon) == {old.tag: "valid", new.tag: "pending"}
    assert 29 * DAY < next(one for one in anchors(daemon)["anchors"] if one["key_tag"] == new.tag)["valid_in_s"] <= 30 * DAY
    assert len(daemon.matching(rf"trust anchor {new.tag} \(algorithm 13\): pending")) == 1
    assert f"{new.tag} pending" in ctl(daemon, "status")
    assert is_secure(daemon)
    daemon.stop()
    assert (state / "trust-anchors").stat().st_mode & 0o777 == 0o600

    daemon = run(29)
    assert states(daemon) == {old.tag: "valid", new.tag: "pending"}
    daemon.stop()
    daemon = run(31)
    assert states(daemon) == {old.tag: "valid", new.tag: "valid"}
    daemon.wait_line(rf"trust anchor {new.tag} .*valid, after the hold-down")
    daemon.stop()

    root.publish([new], [new])
    daemon = run(40)
    assert states(daemon) == {old.tag: "missing", new.tag: "valid"}
    assert is_secure(daemon)  # by the new key, which the configuration does not have
    daemon.stop()

    old.revoke()
    root.publish([old, new], [old, new])
    daemon = run(41)
    assert states(daemon) == {old.tag: "revoked", new.tag: "valid"}
    daemon.wait_line(rf"trust anchor {old.tag} .*revoked by the root")
    assert is_secure(daemon)
    daemon.stop()

    old.dnskey = old.form(257)  # a thief signs with it
    root.publish([old], [old])
    daemon = run(42)
    assert anchors(daemon)["last_error"] == "bogus response (DNSSEC)"
    assert states(daemon)[old.tag] == "revoked"
    assert not is_secure(daemon)
    daemon.stop()
    root.publish([new], [new])
    daemon = run(73)
    assert states(daemon) == {old.tag: "removed", new.tag: "valid"}
    assert is_secure(daemon)


def test_an_anchor_that_is_revoked_at_run_time_validates_nothing_more(run, root, old, state, anchor_file):
    other = Key()
    anchor_file.write_text(old.ds() + other.ds())
    root.publish([old, other], [old])
    daemon = run(0, **{"track-root": "no"})
    assert is_secure(daemon)
    assert anchors(daemon)["tracked"] is False and {one["state"] for one in anchors(daemon)["anchors"]} == {"fixed"}
    daemon.stop()
    old.revoke()
    root.publish([old, other], [old, other])
    daemon = run(1)
    old.dnskey = old.form(257)
    eventually(lambda: daemon.matching("revoked by the root"), what="the revocation")
    root.publish([old], [old])
    ctl(daemon, "flush")
    eventually(lambda: not is_secure(daemon), what="the switch of the workers")
    assert states(daemon) == {old.tag: "revoked", other.tag: "valid"}
    daemon.reload(**settings(state, anchor_file, **{"track-root": "no"}))
    assert set(states(daemon).values()) == {"fixed"} and is_secure(daemon)
    daemon.reload(**settings(state, anchor_file))
    assert states(daemon)[old.tag] == "revoked"  # by the saved state
    eventually(lambda: not is_secure(daemon), what="the switch of the workers")


def test_a_revocation_that_cannot_be_saved_outlasts_a_change_of_the_file(run, root, old, state, anchor_file):
    other, third = Key(), Key()
    anchor_file.write_text(old.ds() + other.ds())
    state.rmdir()
    old.revoke()
    root.publish([old, other], [old, other])
    daemon = run(0)
    daemon.wait_line("cannot save the trust anchors")
    assert states(daemon) == {old.tag: "revoked", other.tag: "valid"}
    anchor_file.write_text(old.ds() + other.ds() + third.ds())
    eventually(lambda: third.tag in states(daemon), what="the anchors of the file")
    assert states(daemon)[old.tag] == "revoked"


@pytest.mark.whole
@pytest.mark.parametrize("damage", ["cut", "foreign", "open"])
def test_a_state_that_is_not_whole_is_ignored(run, root, old, state, damage):
    new = Key()
    root.publish([old, new], [old])
    run(0).stop()
    path = state / "trust-anchors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "foreign":
        path.write_text("dotstub trust-anchors 2\n")
    else:
        path.chmod(0o644)
    daemon = run(31)
    daemon.wait_line("ignoring .*trust-anchors, so the built-in trust anchors apply")
    assert states(daemon) == {old.tag: "valid", new.tag: "pending"}  # its time begins again
    assert is_secure(daemon)
