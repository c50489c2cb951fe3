# SPDX-License-Identifier: MIT
"""systemd-resolved as a client: the installed one, or the one that tests/run unpacks, in a mount namespace with files of its own."""
import os
import pathlib

import pytest

from processes import Process

UNPACKED = pathlib.Path(__file__).parents[2] / "build-tests/resolved"  # by tests/run
PLACES = ["/lib", UNPACKED / "lib", UNPACKED / "usr/lib"]
RESOLVED = next((path for place in PLACES if (path := pathlib.Path(place, "systemd/systemd-resolved")).exists()), None)
START = r"""
set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/resolve /run/etc
cp /etc/passwd /etc/group /run/etc
grep -q '^systemd-resolve:' /etc/passwd || echo 'systemd-resolve:x:990:990::/:/usr/sbin/nologin' >>/run/etc/passwd
grep -q '^systemd-resolve:' /etc/group || echo 'systemd-resolve:x:990:' >>/run/etc/group
mount --bind /run/etc/passwd /etc/passwd
mount --bind /run/etc/group /etc/group
[ ! "$CA" ] || mount --bind "$CA" /etc/ssl/certs/ca-certificates.crt
chown systemd-resolve: /run/systemd/resolve
mkdir -p /etc/systemd /etc/dnssec-trust-anchors.d
mount -t tmpfs none /etc/systemd
mount -t tmpfs none /etc/dnssec-trust-anchors.d
[ ! "$ANCHOR" ] || echo "$ANCHOR" >/etc/dnssec-trust-anchors.d/test.positive
echo nothing.example >/etc/dnssec-trust-anchors.d/test.negative  # in place of the list that is built in
printf '[Resolve]\nDNS=%s\nFallbackDNS=\nDomains=~.\nDNSSEC=%s\nDNSOverTLS=%s\nLLMNR=no\nMulticastDNS=no\nCache=no\n' \
    "$SERVER" "$DNSSEC" "$TLS" >/etc/systemd/resolved.conf
exec env SYSTEMD_LOG_LEVEL=debug "$RESOLVED"
"""


def needed():
    """Skips the test without systemd-resolved."""
    if not RESOLVED:
        pytest.skip("systemd-resolved is not installed, and tests/run has not unpacked it")


def network(namespace):
    """Adds a link that is up, without which systemd-resolved sends no query."""
    namespace.up()
    namespace.run("ip", "link", "add", "test0", "type", "veth", "peer", "name", "test1")
    namespace.run("ip", "link", "set", "test1", "up")
    namespace.run("ip", "address", "add", "192.0.2.77/24", "dev", "test0")
    namespace.run("ip", "link", "set", "test0", "up")
    return namespace


class Resolved(Process):
    """Its stub listens at 127.0.0.53. `server`: ADDRESS:PORT#NAME; `tls` yes: strict DNS over TLS, with the certificates of `ca`."""

    def __init__(self, namespace, server, *, dnssec="no", tls="no", anchor="", ca=""):
        super().__init__([*namespace.prefix, "unshare", "--mount", "sh", "-c", START], env={
            **os.environ, "SERVER": server, "DNSSEC": dnssec, "TLS": tls, "ANCHOR": anchor, "CA": str(ca), "RESOLVED": str(RESOLVED)})
        self.wait_line("Creating stub listener")
