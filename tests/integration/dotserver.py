# SPDX-License-Identifier: MIT
"""A DNS-over-TLS server that gives the true responses (zone.py) unless a test makes it lie.

    server = DotServer(certs.good)              on a free port of 127.0.0.1, in a thread of its own
    server.delay = 0.3                          each lie is an attribute that a test sets at any time:
    with server.lying(twist=lies.wrong_id):     ... or for the duration of a block
    server.wait_for(lambda: len(server.queries) == 3)
    server.queries, server.connections          the queries and connections so far

TLS runs over memory BIOs, so that the server controls each record and each segment.
"""
import asyncio
import contextlib
import dataclasses
import socket
import ssl
import struct
import threading
import time

import wire
import zone

PATIENCE = 10  # seconds that a test waits for an event


def context(certificate, *, versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), tickets=True, alpn=True, requires=None):
    """The TLS context of the server. A new context does not accept tickets of an older one. `requires`: the file of the CA whose
    certificate clients need."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT@SECLEVEL=0")
    made.load_cert_chain(certificate.chain_file, certificate.key_file)
    made.minimum_version, made.maximum_version = versions
    if not tickets:
        made.num_tickets = 0
        made.options |= ssl.OP_NO_TICKET
    if requires:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(requires)
    if alpn:
        made.set_alpn_protocols(["dot"])
    return made


@dataclasses.dataclass
class Query:
    """A received query."""
    name: str
    type: int
    question: wire.Question
    data: bytes
    connection: "Connection"
    time: float
    answered: bool = False


class Connection(asyncio.Protocol):
    """The connection of one client: its observed state, and the protocol that answers on it."""

    def __init__(self, server):
        self.server = server
        self.opened, self.closed = time.monotonic(), None
        self.client_hello = b""
        self.server_name = None
        self.established = self.resumed = self.greeted = False
        self.version = self.cipher = self.alpn = None
        self.reads = self.records = 0  # counted after the handshake
        self.cut = 0  # records of which a part was lost, see one_of_a_record
        self.queries, self.answers = 0, 0
        self.end = None  # how the client ended it: "close_notify", "fin", "error: ..."
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = server.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.clear, self.waiting, self.flushing, self.held = bytearray(), [], False, []
        self.idle_timer = None

    # Callbacks of asyncio.

    def connection_made(self, transport):
        self.transport = transport
        self.socket = transport.get_extra_info("socket")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, not self.server.nagle)
        self.peer = transport.get_extra_info("peername")
        with self.server.noticing():
            self.server.connections.append(self)
        if self.server.accept in ("rst", "fin"):
            self.close(self.server.accept)
        elif self.server.accept == "deaf":
            self.server.loop.call_soon(self.server.loop.call_soon, transport.pause_reading)  # after asyncio has begun to read

    def data_received(self, data):
        if not self.client_hello:
            self.client_hello = data
        if self.server.refuse_alpn and b"\x03dot" in self.client_hello:
            if self.server.refuse_alpn == "alert":
                self.transport.write(bytes([21, 3, 3, 0, 2, 2, 120]))
            self.close("rst" if self.server.refuse_alpn == "rst" else "fin")
            return
        if isinstance(self.server.accept, bytes):  # sends this instead of a handshake
            self.transport.write(self.server.accept)
            return
        if self.server.accept in ("silent", "deaf"):
            return
        if self.server.greet_after and not self.incoming.pending and not self.greeted:
            self.greeted = True
            self.server.loop.call_later(self.server.greet_after, self.take_ciphertext, data)
            return
        self.take_ciphertext(data)

    def take_ciphertext(self, data):
        if self.transport.is_closing():
            return
        self.incoming.write(data)
        try:
            if not self.established:
                self.shake_hands()
            elif not self.server.deaf:
                self.reads += 1
            if self.established and not self.server.deaf:
                self.read()
        except ssl.SSLZeroReturnError:
            self.note_end("close_notify")
            self.transport.close()
        except (ssl.SSLError, ValueError) as error:
            self.flush_ciphertext()
            self.note_end(f"error: {error}")
            self.transport.close()

    def eof_received(self):
        self.note_end("fin")
        return False

    def connection_lost(self, error):
        self.note_end(f"error: {error}" if error else "fin")
        with self.server.noticing():
            self.closed = time.monotonic()

    # Receiving.

    def shake_hands(self):
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.flush_ciphertext()
            return
        with self.server.noticing():
            self.established = True
            self.version, self.cipher, self.alpn = (
                self.tls.version(), self.tls.cipher()[0], self.tls.selected_alpn_protocol())
            self.resumed = self.tls.session_reused
        self.flush_ciphertext()
        self.wind_idle_timer()
        if self.resumed and self.server.resumed == "at once":
            self.close("rst")
        if self.server.deaf:
            self.transport.pause_reading()

    def read(self):
        with contextlib.suppress(ssl.SSLWantReadError):
            while True:
                data = self.tls.read(65536)  # never more than one record
                if not data:
                    raise ssl.SSLZeroReturnError(6, "close_notify")
                self.records += 1
                if self.server.one_of_a_record:
                    first = 2 + int.from_bytes(data[:2], "big")
                    self.cut += len(data) > first
                    data = data[:first]
                self.clear += data
        for payload in wire.frames(self.clear):
            self.take(payload)

    def take(self, payload):
        question = wire.read_question(payload)
        query = Query(question.name, question.type, question, payload, self, time.monotonic())
        with self.server.noticing():
            self.queries += 1
            self.server.queries.append(query)
        self.wind_idle_timer()
        if self.resumed and self.server.resumed:
            if self.server.resumed != "silent":
                self.close(self.server.resumed)
            return
        if self.server.silence(query) if callable(self.server.silence) else self.server.silence:
            return
        if self.server.answer_first and self.queries > self.server.answer_first:
            return
        delay = self.server.delay(query) if callable(self.server.delay) else self.server.delay
        if delay:
            self.server.loop.call_later(delay, self.answer, query)
        else:
            self.answer(query)

    # Sending.

    def answer(self, query):
        if self.transport.is_closing():
            return
        truth = zone.answer(query.question, query.data, self.server.options)
        payloads = [truth] if self.server.twist is None else self.server.twist(query, truth)
        if self.server.reorder:
            self.hold(query, payloads)
        else:
            self.send(query, payloads)

    def hold(self, query, payloads):
        """Delays responses until `reorder` of them wait (or 50 ms have passed), then sends the newest first."""
        self.held.append((query, payloads))
        if len(self.held) >= self.server.reorder:
            self.release()
        elif len(self.held) == 1:
            self.server.loop.call_later(0.05, self.release)

    def release(self):
        held, self.held = self.held, []
        for query, payloads in reversed(held):
            self.send(query, payloads)

    def send(self, query, payloads):
        if self.transport.is_closing():
            return
        framing = self.server.framing or (lambda connection, payload: wire.frame(payload))
        self.waiting += [framing(self, payload) for payload in payloads]
        with self.server.noticing():
            self.answers += 1
            query.answered = True
        if not self.flushing:
            self.flushing = True
            self.server.loop.call_soon(self.flush)
        if self.server.close_after and self.answers >= self.server.close_after:
            self.flush()
            self.close(self.server.close_how)

    def flush(self):
        """Sends the responses of the turn as records and segments of the configured shape."""
        self.flushing = False
        waiting, self.waiting = self.waiting, []
        if not waiting or self.transport.is_closing():
            return
        shape = self.server.shape
        if shape == "byte records":
            pieces = [bytes([byte]) for byte in b"".join(waiting)]
        elif shape == "record each":
            pieces = waiting
        else:
            pieces = [b"".join(waiting)]
        for piece in pieces:
            self.tls.write(piece)
            if shape != "byte records":
                self.flush_ciphertext()
        self.flush_ciphertext()
        self.wind_idle_timer()

    def flush_ciphertext(self):
        data = self.outgoing.read()
        if not data or self.transport.is_closing():
            return
        if self.server.tamper:
            data = self.server.tamper(self, data)
        if self.server.shape == "byte writes":
            for at in range(len(data)):
                self.transport.write(data[at:at + 1])
        elif data:
            self.transport.write(data)

    # Closing.

    def wind_idle_timer(self):
        if self.idle_timer:
            self.idle_timer.cancel()
        if self.server.close_idle:
            self.idle_timer = self.server.loop.call_later(
                self.server.close_idle, self.close, self.server.close_how)

    def note_end(self, how):
        if not self.end:
            with self.server.noticing():
                self.end = how

    def close(self, how="notify"):
        """notify: close_notify, then FIN. fin: FIN alone. rst: a reset."""
        if self.transport.is_closing():
            return
        if self.idle_timer:
            self.idle_timer.cancel()
        self.note_end("closed by the server")
        if how == "rst":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            return
        if how == "notify" and self.established:
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self.flush_ciphertext()
        self.transport.close()


class DotServer:
    # The lies, and their values in a truthful server.
    LIES = {
        "accept": None,      # rst, fin: closed at once; silent: reads, sends nothing; deaf: reads nothing; bytes: sends these
        "refuse_alpn": None,  # alert, rst, fin: sent for a ClientHello that offers ALPN "dot"
        "resumed": None,     # a resumed session: at once, rst, fin, notify: ends then, or at its first query; silent
        "nagle": False,      # TCP_NODELAY is not set
        "greet_after": 0,    # seconds before it continues the handshake
        "deaf": False,       # reads nothing after the handshake
        "one_of_a_record": False,  # reads the first query of each record and loses the rest
        "silence": False,    # True, or a function of the query: no response
        "answer_first": 0,   # number of queries of each connection after which it responds to nothing
        "delay": 0,          # seconds, or a function of the query
        "twist": None,       # (query, true response) -> messages to send instead (lies.py)
        "framing": None,     # (connection, message) -> bytes instead of a frame
        "tamper": None,      # (connection, ciphertext) -> bytes to put on the wire
        "shape": None,       # byte records, byte writes, record each; None: all responses of a turn in one record
        "reorder": 0,        # number of responses that are sent together, newest first
        "close_after": 0,    # number of responses after which the connection ends
        "close_idle": 0,     # seconds without a query or a response after which it ends
        "close_how": "notify",
        "options": (),       # EDNS options of every response: (code, data)
    }  # fmt: skip

    def __init__(self, certificate, address="127.0.0.1", port=0, *, namespace=None, **tls):
        self.address, self.namespace = address, namespace
        self.context = context(certificate, **tls)
        self.changed = threading.Condition()
        self.queries, self.connections = [], []
        self.truth()
        self.listening = self.listener(port)
        self.port = self.listening.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name=f"liar {address}", daemon=True)
        self.thread.start()
        self.server = self.run(self.serve(self.listening))
        self.fillers = []

    # The lies.

    def truth(self):
        """Ends all lies."""
        for lie, value in self.LIES.items():
            setattr(self, lie, value)

    @contextlib.contextmanager
    def lying(self, **lies):
        before = {lie: getattr(self, lie) for lie in lies}
        for lie, value in lies.items():
            setattr(self, lie, value)
        yield self
        for lie, value in before.items():
            setattr(self, lie, value)

    def swap(self, certificate, **tls):
        """Uses another certificate from the next connection on; earlier tickets become invalid."""
        self.context = context(certificate, **tls)

    def kill(self, how="rst", which=lambda connection: True):
        """Closes open connections; returns their number."""
        def do():
            chosen = [one for one in self.connections if one.closed is None and which(one)]
            for connection in chosen:
                connection.close(how)
            return len(chosen)
        return self.do(do)

    def deafen(self):
        """Stops reading from the open connections for ever; returns their number."""
        def do():
            chosen = self.open
            for connection in chosen:
                connection.transport.pause_reading()
            return len(chosen)
        return self.do(do)

    def refuse(self):
        """Refuses connections from now on, and resets the open ones."""
        self.do(self.server.close)
        self.kill("rst")
        self.unfill()

    def blackhole(self):
        """Ignores SYNs from now on, with a listener that accepts no connection and whose queue is full."""
        self.refuse()
        self.listening = self.listener(self.port, backlog=0)
        while True:
            filler = self.socket()
            filler.settimeout(0.2)
            self.fillers.append(filler)
            try:
                filler.connect((self.address, self.port))
            except (TimeoutError, BlockingIOError):
                return

    def restore(self):
        """Accepts connections again."""
        self.unfill()
        self.listening = self.listener(self.port)
        self.server = self.run(self.serve(self.listening))

    def stop(self):
        self.refuse()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)

    # Observing.

    @contextlib.contextmanager
    def noticing(self):
        """Context of a change for which a test may wait."""
        with self.changed:
            yield
            self.changed.notify_all()

    def wait_for(self, condition, timeout=PATIENCE):
        """Waits until the condition holds; returns its value."""
        with self.changed:
            value = self.changed.wait_for(condition, timeout)
        assert value, f"condition not met in {timeout} s; {len(self.queries)} queries, {len(self.connections)} connections"
        return value

    def queries_for(self, name, rdtype=None):
        """The queries for a name."""
        number = None if rdtype is None else wire.type_number(rdtype)
        with self.changed:
            return [query for query in self.queries
                    if query.name.lower() == name.lower().rstrip(".") and number in (None, query.type)]

    def wait_for_queries(self, name, times=1, timeout=PATIENCE):
        self.wait_for(lambda: len(self.queries_for(name)) >= times, timeout)
        return self.queries_for(name)

    @property
    def established(self):
        return [connection for connection in self.connections if connection.established]

    @property
    def open(self):
        return [connection for connection in self.connections if connection.established and connection.closed is None]

    def most_open(self):
        """The largest number of established connections at one time."""
        with self.changed:
            events = sorted([(one.opened, 1) for one in self.established] +
                            [(one.closed, -1) for one in self.established if one.closed])
        count = most = 0
        for _, step in events:
            count += step
            most = max(most, count)
        return most

    def forget(self):
        """Forgets all queries and the closed connections."""
        with self.changed:
            self.queries = []
            self.connections = [connection for connection in self.connections if connection.closed is None]

    # Internals.

    def socket(self):
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        make = lambda: socket.socket(family, socket.SOCK_STREAM)
        return self.namespace.call(make) if self.namespace else make()

    def listener(self, port, backlog=1024):
        listening = self.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.address, port))
        listening.listen(backlog)
        return listening

    async def serve(self, listening):
        return await self.loop.create_server(lambda: Connection(self), sock=listening, backlog=1024)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def do(self, function):
        async def call():
            return function()
        return self.run(call())

    def unfill(self):
        for filler in self.fillers:
            filler.close()
        if self.fillers:
            self.listening.close()
        self.fillers = []

    def upstream(self, **settings):
        """Its upstream for the daemon's configuration."""
        return {"name": "liar", "tls-name": "dns.google", "addresses": [self.address], "port": self.port, **settings}
