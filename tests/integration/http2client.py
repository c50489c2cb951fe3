# SPDX-License-Identifier: MIT
"""A client of DNS over HTTPS that misuses HTTP/2 when the test makes it; frames made by hand for what a library refuses to send."""
import collections
import socket
import ssl
import struct

import h2.connection
import h2.events
import h2.settings

import wire
from processes import PATIENCE

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MESSAGE = "application/dns-message"

Response = collections.namedtuple("Response", "status headers body")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def frames(data):
    """The frames in these bytes: kind, stream, payload."""
    at, out = 0, []
    while len(data) - at >= 9:
        length = int.from_bytes(data[at:at + 3], "big")
        out.append((data[at + 3], int.from_bytes(data[at + 5:at + 9], "big"), data[at + 9:at + 9 + length]))
        at += 9 + length
    return out


def fields(*pairs):
    """A header block of literals without indexing."""
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in pairs)


def request_fields(path="/dns-query", method="GET"):
    return fields((":method", method), (":scheme", "https"), (":authority", "dns.lan"), (":path", path))


class HttpsClient:
    """`tls` False: plain HTTP/2. `raw`: says nothing by itself."""

    def __init__(self, port, *, tls=True, alpn=("h2",), ca=None, name="dns.lan", raw=False, window=None, source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, source)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if ca:
                context.load_verify_locations(ca)
            else:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if alpn:
                context.set_alpn_protocols(list(alpn))
            self.socket = context.wrap_socket(self.socket, server_hostname=name)
        self.bodies, self.headers, self.done, self.resets = collections.defaultdict(bytes), {}, [], {}
        self.ended = None  # the error code of a GOAWAY
        self.h2 = h2.connection.H2Connection()
        if not raw:
            if window is not None:
                self.h2.local_settings = h2.settings.Settings(client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
            self.h2.initiate_connection()
            self.flush()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, body=None, path="/dns-query", method="POST", kind=MESSAGE, extra=(), flush=True):
        """Sends a request; returns its stream."""
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", method), (":scheme", "https"), (":authority", "dns.lan"), (":path", path), *extra]
        if kind:
            headers.append(("content-type", kind))
        self.h2.send_headers(stream, headers, end_stream=body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=True)
        if flush:
            self.flush()
        return stream

    def read(self):
        """Takes what the server sends next; False at its end."""
        data = self.socket.recv(65536)
        if not data:
            return False
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.headers[event.stream_id] = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.done.append(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = event.error_code
                self.done.append(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                self.ended = event.error_code
        self.flush()
        return True

    def response(self, stream):
        while stream not in self.done:
            assert self.read(), "the server closed the connection"
        headers = self.headers.get(stream, {})
        return Response(int(headers.get(":status", 0)), headers, self.bodies[stream])

    def fetch(self, *arguments, **options):
        return self.response(self.request(*arguments, **options))

    def ask(self, name, rdtype="A", **parts):
        response = self.fetch(wire.query(name, rdtype, id=0, **parts))
        assert response.status == 200 and response.headers["content-type"] == MESSAGE, response
        return wire.parse(response.body)

    def closed(self):
        """Reads until the server ends the connection; returns all that it sent."""
        out = b""
        self.socket.settimeout(PATIENCE)
        try:
            while data := self.socket.recv(65536):
                out += data
        except (ConnectionError, ssl.SSLError):
            pass
        return out

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
