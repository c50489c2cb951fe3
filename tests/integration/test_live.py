# SPDX-License-Identifier: MIT
"""tests/live describes a real server. The tests cannot reach one, so they run it against servers with known behaviour."""
import pathlib
import subprocess

import pytest

import wire

LIVE = pathlib.Path(__file__).parents[1] / "live"


def live(port, certs, *arguments):
    done = subprocess.run([str(LIVE), "--address", "127.0.0.1", "--port", str(port), "--ca-file", str(certs.ca_file), *arguments],
                          capture_output=True, text=True, timeout=60)
    return done, {line[:32].rstrip(): line[33:] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("tickets", [True, False])
def test_a_server_with_known_behaviour(make_server, certs, tickets):
    server = make_server(tickets=tickets)
    server.close_idle, server.options = 1.5, [(wire.KEEPALIVE, b"\0\x0f")]
    done, said = live(server.port, certs)
    assert done.returncode == 0, done.stderr
    assert said["TLS"].startswith("TLSv1.3") and said['ALPN "dot"'] == "accepted"
    assert said["ticket accepted"].startswith("yes" if tickets else "no")
    assert "000f" in said["keepalive option (RFC 7828)"]
    assert 0.7 < float(said["idle connection closed after"].split()[0]) < 6


def test_a_real_server(real_server, certs):
    done, said = live(real_server.port, certs, "--zone", "real.example", "--patience", "1")
    assert done.returncode == 0, done.stderr
    assert said["TLS"].startswith("TLSv1.3") and said["idle connection closed after"] == "more than 1 s"


def test_no_server(certs):
    done, _ = live(1, certs)
    assert done.returncode == 1 and "cannot be asked from here: " in done.stderr
