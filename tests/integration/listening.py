# SPDX-License-Identifier: MIT
"""Daemons with encrypted listeners, and clients of DNS over TLS."""
import contextlib
import re
import shutil
import socket
import ssl

from clients import TcpClient
from daemon import Daemon
from dotserver import DotServer
from http2client import PREFACE, SETTINGS, HttpsClient, frame
from processes import PATIENCE, free_port
from test_control import control

PADDING, KEEPALIVE = 12, 11
BLOCK = 468  # RFC 8467


def unverified():
    """A context that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def hello(name="dns.lan"):
    """The bytes of a complete client hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        unverified().wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without a server")


class TlsClient(TcpClient):
    """`ca`: the file that the certificate must chain to; None: it is not verified."""

    def __init__(self, port, *, name="dns.lan", ca=None, alpn=("dot",), version=None, session=None, client=None,
                 source=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca:
            context.load_verify_locations(ca)
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version:
            context.minimum_version = context.maximum_version = version
        if client:
            context.load_cert_chain(*client)
        super().__init__("127.0.0.1", port, source=source)
        self.context = session.context if session else context
        self.socket = self.context.wrap_socket(self.socket, server_hostname=name, session=session and session.socket.session)

    def certificate(self):
        return self.socket.getpeercert(binary_form=True)


class ManualTlsClient:
    """A client whose ciphertext the test sends when it likes: `ready` returns what has to be sent next."""

    def __init__(self, port):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = unverified().wrap_bio(self.incoming, self.outgoing, server_hostname="dns.lan")
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)

    def ready(self):
        return self.outgoing.read()

    def begin(self):
        """Sends the client hello."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.socket.sendall(self.ready())

    def shake_hands(self):
        """Returns when only the last flight of this side is left to be sent."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                return
            self.socket.sendall(self.ready())
            self.incoming.write(self.socket.recv(65536))

    def read_all(self):
        """All clear bytes that the server sends until it ends the connection."""
        out = b""
        while data := self.socket.recv(65536):
            self.incoming.write(data)
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                while clear := self.tls.read(65536):
                    out += clear
        return out


class Listener:
    """A daemon with listen-tls; its certificate and key are files of the test."""

    def __init__(self, make_daemon, server, certs, path, labels=("dns.lan",), wait=True, **config):
        self.path, port = path, free_port()
        self.port = next(other for other in iter(free_port, None) if other != port)
        self.identities = {label: certs.make(f"listener-{label}-{path.name}", certs.authority, names=[label]) for label in labels}
        for label, identity in self.identities.items():
            self.install(identity, label)
        files = {kind: [str(path / f"{label}.{kind}") for label in labels] for kind in ("crt", "key")}
        tls_server = {"certificate": files["crt"], "key": files["key"], **config.pop("tls_server", {})}
        self.config = {"listen-tls": [f"127.0.0.1@{self.port}"], "tls-server": tls_server, **config}
        self.daemon = make_daemon(server, port=port, **self.config) if wait else None

    def install(self, identity, label, key=True):
        """Replaces the files as certbot does: new ones are renamed to their names."""
        for kind, source in (("crt", identity.chain_file), ("key", identity.key_file)):
            if kind == "key" and not key:
                continue
            new = self.path / f"{label}.{kind}.new"
            shutil.copy(source, new)
            new.chmod(0o644)
            new.rename(self.path / f"{label}.{kind}")

    def client(self, **options):
        return TlsClient(self.port, **options)

    def counter(self, name):
        return control(self.daemon, "/stats").json["counters"][name]


class Service:
    """A daemon with listen-tls, listen-https and listen-http, and its server."""

    def __init__(self, directory, certs, **config):
        directory.chmod(0o755)
        self.certs, self.directory = certs, directory
        self.server = DotServer(certs.good)
        self.https, self.http, self.tls, port = (free_port() for _ in range(4))
        identity = certs.make("https-listener", certs.authority, names=["dns.lan"])
        for kind, source in (("crt", identity.chain_file), ("key", identity.key_file)):
            shutil.copy(source, directory / f"dns.{kind}")
            (directory / f"dns.{kind}").chmod(0o644)
        self.daemon = Daemon(directory, [self.server.upstream()], ca_file=certs.ca_file, port=port, **{
            "listen-https": [f"127.0.0.1@{self.https}"], "listen-http": [f"127.0.0.1@{self.http}", f"127.0.0.2@{self.http}"],
            "listen-tls": [f"127.0.0.1@{self.tls}"], "http-proxies": ["127.0.0.1"],
            "tls-server": {"certificate": str(directory / "dns.crt"), "key": str(directory / "dns.key")}, **config})

    def client(self, **options):
        return HttpsClient(self.http if options.get("tls") is False else self.https, **options)

    def dot(self, **options):
        return TlsClient(self.tls, **options)

    def clients(self):
        """The number of open connections."""
        return int(re.search(r"^dotstub_tcp_clients (\d+)", control(self.daemon, "/metrics").body, re.M)[1])

    def raw(self):
        client = self.client(tls=False, raw=True)
        client.socket.sendall(PREFACE + frame(SETTINGS))
        return client

    def counter(self, name):
        return control(self.daemon, "/stats").json["counters"][name]
