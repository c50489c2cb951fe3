# SPDX-License-Identifier: MIT
"""A DNS-over-HTTPS server that gives the true responses unless a test makes it lie: DotServer's lies, and those of HTTP."""
import h2.config
import h2.connection
import h2.events
import h2.exceptions

import dotserver
import wire


class DohConnection(dotserver.Connection):
    def __init__(self, server):
        super().__init__(server)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.bodies, self.headers, self.greeted_h2 = {}, {}, False
        self.goaway_sent = False

    def read(self):
        try:
            while True:
                data = self.tls.read(65536)
                if not data:
                    raise dotserver.ssl.SSLZeroReturnError(6, "close_notify")
                self.take_http(data)
        except dotserver.ssl.SSLWantReadError:
            pass

    def take_http(self, data):
        if not self.greeted_h2:
            self.greeted_h2 = True
            if self.server.streams:
                self.h2.local_settings.max_concurrent_streams = self.server.streams
            self.h2.initiate_connection()
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.note_end(f"error: {error}")
            self.close("fin")
            return
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                self.headers[event.stream_id] = {name.decode(): value.decode() for name, value in event.headers}
                self.bodies[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.take_request(event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                with self.server.noticing():
                    self.server.resets += 1
        self.write_http()

    def take_request(self, stream):
        with self.server.noticing():
            self.server.requests.append((self.headers[stream], self.bodies[stream]))
        if self.server.goaway and not self.goaway_sent:
            self.goaway_sent = True
            self.write_http()
            self.tls.write(b"\0\0\x08\x07\0\0\0\0\0" + (0 if self.server.goaway == "refuse" else stream).to_bytes(4, "big") + bytes(4))
            self.flush_ciphertext()
            if self.server.goaway == "refuse":
                return
        if self.server.reset:
            self.h2.reset_stream(stream, self.server.reset)
            return
        self.stream = stream
        self.take(self.bodies[stream])

    def take(self, payload):
        stream = self.stream
        question = wire.read_question(payload)
        query = dotserver.Query(question.name, question.type, question, payload, self, dotserver.time.monotonic())
        query.stream = stream
        with self.server.noticing():
            self.queries += 1
            self.server.queries.append(query)
        if self.server.silence(query) if callable(self.server.silence) else self.server.silence:
            return
        delay = self.server.delay(query) if callable(self.server.delay) else self.server.delay
        if delay:
            self.server.loop.call_later(delay, self.answer, query)
        else:
            self.answer(query)

    def send(self, query, payloads):
        if self.transport.is_closing():
            return
        headers = [(":status", str(self.server.status)), ("content-type", self.server.content_type), *self.server.headers]
        try:
            self.h2.send_headers(query.stream, headers)
            for payload in payloads[:1]:
                self.h2.send_data(query.stream, payload)
            self.h2.end_stream(query.stream)
        except h2.exceptions.ProtocolError:
            return  # the client has reset the stream
        with self.server.noticing():
            self.answers += 1
            query.answered = True
        self.write_http()
        if self.server.close_after and self.answers >= self.server.close_after:
            self.close(self.server.close_how)

    def write_http(self):
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.tls.write(data)
            self.flush_ciphertext()


class DohServer(dotserver.DotServer):
    LIES = {**dotserver.DotServer.LIES,
            "status": 200, "content_type": "application/dns-message",
            "headers": (),     # further header fields of responses
            "goaway": None,    # "after": after the request that is being answered; "refuse": that one is refused, too
            "reset": 0,        # the error code with which each stream is reset
            "streams": 0,      # the number of streams that the server takes at a time; 0: 100
            }  # fmt: skip

    def __init__(self, certificate, *arguments, alpn="h2", **options):
        self.requests, self.resets, self.alpn = [], 0, alpn
        super().__init__(certificate, *arguments, alpn=False, **options)
        self.offer()

    def offer(self):
        if self.alpn:
            self.context.set_alpn_protocols([self.alpn])

    def swap(self, certificate, **tls):
        super().swap(certificate, alpn=False, **tls)
        self.offer()

    async def serve(self, listening):
        return await self.loop.create_server(lambda: DohConnection(self), sock=listening, backlog=1024)

    def upstream(self, **settings):
        return {"name": "doh", "tls-name": "dns.google", "addresses": [self.address], "transport": "https",
                "https": f"https://dns.google:{self.port}/dns-query", **settings}
