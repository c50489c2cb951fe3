# SPDX-License-Identifier: MIT
"""Fixtures for all tests: certificates, lying servers, real servers, daemons. All of them stop with the test."""
import contextlib
import os
import pathlib
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import certs as certs_module  # noqa: E402
import realservers  # noqa: E402
from daemon import FLAVOUR, Daemon  # noqa: E402
from dotserver import DotServer  # noqa: E402
from netns import Namespace  # noqa: E402
from uptime import leave_the_boot  # noqa: E402

leave_the_boot()


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certs")
    directory.chmod(0o755)
    return certs_module.Certificates(directory)


@pytest.fixture
def cleanup():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def public_path():
    """A directory that every user can read."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory)
        path.chmod(0o755)
        yield path


@pytest.fixture
def make_server(certs, cleanup):
    """make_server(certificate, address=..., ...): a DoT server that lies when the test makes it."""
    def make(certificate=None, **options):
        server = DotServer(certificate or certs.good, **options)
        cleanup.callback(server.stop)
        return server
    return make


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def make_daemon(certs, tmp_path, cleanup):
    """make_daemon(server, ..., cache={...}): a daemon with these servers as upstreams. At the end of the test it must
    stop cleanly, unless the test has stopped it."""
    def make(*servers, **options):
        upstreams = [server.upstream() if hasattr(server, "upstream") else server for server in servers]
        options.setdefault("ca_file", certs.ca_file)
        daemon = Daemon(options.pop("directory", tmp_path), upstreams, **options)
        cleanup.callback(lambda: daemon.stop() if daemon.running else daemon.check_log())
        return daemon
    return make


@pytest.fixture
def daemon(make_daemon, server):
    """A daemon whose one upstream is `server`."""
    return make_daemon(server)


@pytest.fixture
def make_listener(make_daemon, server, certs, public_path):
    """make_listener("dns.lan", ..., limits={...}): a daemon with listen-tls and certificates for these names."""
    from listening import Listener  # imports tests
    return lambda *labels, **config: Listener(make_daemon, server, certs, public_path, labels or ("dns.lan",), **config)


@pytest.fixture
def listener(make_listener):
    return make_listener()


@pytest.fixture
def make_namespace(cleanup):
    def make():
        namespace = Namespace()
        cleanup.callback(namespace.close)
        return namespace
    return make


@pytest.fixture(scope="session", params=["unbound", "dnsdist"])
def real_server(request, certs, tmp_path_factory):
    kind = {"unbound": realservers.Unbound, "dnsdist": realservers.Dnsdist}[request.param]
    directory = tmp_path_factory.mktemp("real")
    server = kind(directory / request.param, certs)
    yield server
    server.end()


def pytest_addoption(parser):
    parser.addoption("--browser", action="store_true", help="also run the status page in a real browser")
    parser.addoption("--quick", action="store_true", help="leave out the tests marked `whole`")
    parser.addoption("--faults", action="store_true", help="also run the table of faults under steady traffic, and the complete storms")


def pytest_collection_modifyitems(config, items):
    assert os.geteuid() == 0, "the integration tests need root: namespaces, port 53, users"
    unwanted = {mark for mark in ("browser", "faults") if not config.getoption(mark)}
    if config.getoption("--quick"):
        unwanted.add("whole")
    if FLAVOUR != "plain":
        unwanted.add("plain")
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in unwanted)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
