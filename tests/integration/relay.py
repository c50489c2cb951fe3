# SPDX-License-Identifier: MIT
"""A relay between the daemon and a server: a network that blocks or disturbs a port when the test says so.

    relay = Relay(server.port)       listens on a free port of 127.0.0.1
    relay.refuse(), .drop()          no connection is accepted; open ones are reset, or pass on nothing
    relay.mode = "reset"             each connection is reset after its ClientHello
    relay.target = other.port        intercepted: connections end at another server
    relay.rate = 1000                bytes a second in each direction, of all connections together
    relay.lifetime = 5               seconds after which each connection is reset
    relay.delay = 0.02               seconds added in each direction
    relay.open()                     all is well again
"""
import asyncio
import contextlib
import socket
import struct
import threading

from dotserver import PATIENCE


class Relay:
    def __init__(self, target):
        self.target = self.original = target
        self.mode, self.rate, self.lifetime, self.delay = None, 0, 0, 0
        self.pairs, self.fillers, self.accepted = [], [], 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="relay", daemon=True)
        self.thread.start()
        self.port, self.server, self.listening = 0, None, None
        self.listen()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def bound(self, backlog=1024):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(backlog)
        self.port = listening.getsockname()[1]
        return listening

    def listen(self):
        self.listening = self.bound()
        async def begin():
            self.server = await asyncio.start_server(self.relay, sock=self.listening)
            self.credit = {True: 0.0, False: 0.0}
        self.run(begin())

    def close_listener(self):
        if self.server:
            self.run(self.close_server())
        for filler in self.fillers:
            filler.close()
        if self.fillers:
            self.listening.close()
        self.fillers, self.server = [], None

    async def close_server(self):
        self.server.close()

    async def finished(self):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # Faults.

    def refuse(self):
        self.close_listener()
        self.end()

    def drop(self):
        """SYNs are ignored: the queue of the listener is full. Open connections pass on nothing."""
        self.mode = "drop"
        self.close_listener()
        self.listening = self.bound(backlog=0)
        while True:
            filler = socket.socket()
            filler.settimeout(0.2)
            self.fillers.append(filler)
            try:
                filler.connect(("127.0.0.1", self.port))
            except (TimeoutError, BlockingIOError):
                return

    def end(self):
        """Resets all connections."""
        async def do():
            for pair in list(self.pairs):
                self.reset(pair)
        self.run(do())

    def open(self):
        self.target, self.mode, self.rate, self.lifetime = self.original, None, 0, 0
        if not self.server:
            self.close_listener()
            self.listen()

    def stop(self):
        self.mode, self.rate = None, 0
        self.close_listener()
        self.end()
        self.run(self.finished())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE)

    # Passing on.

    def reset(self, pair):
        for writer in pair:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        if pair in self.pairs:
            self.pairs.remove(pair)

    async def relay(self, reader, writer):
        self.accepted += 1
        if self.mode == "reset":
            await reader.read(1)
            self.reset((writer,))
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self.reset((writer,))
            return
        pair = (writer, there_writer)
        self.pairs.append(pair)
        if self.lifetime:
            self.loop.call_later(self.lifetime, self.reset, pair)
        await asyncio.gather(self.pump(reader, there_writer, pair, True), self.pump(there_reader, writer, pair, False))
        if pair in self.pairs:
            self.pairs.remove(pair)

    async def pump(self, reader, writer, pair, there):
        try:
            while data := await reader.read(65536):
                while self.mode == "drop":
                    await asyncio.sleep(0.05)
                if self.delay:
                    self.loop.call_later(self.delay, self.write, writer, data)
                elif self.rate:
                    await self.trickle(writer, data, there)
                else:
                    self.write(writer, data)
            if not self.delay:
                writer.close()
            else:
                self.loop.call_later(self.delay, writer.close)
        except (ConnectionError, RuntimeError):
            self.reset(pair)

    def write(self, writer, data):
        if not writer.transport.is_closing():
            writer.write(data)

    async def trickle(self, writer, data, there):
        """All connections share the rate: each piece waits for its turn."""
        for at in range(0, len(data), 50):
            piece = data[at:at + 50]
            rate = self.rate
            if rate:
                now = self.loop.time()
                self.credit[there] = max(self.credit[there], now) + len(piece) / rate
                await asyncio.sleep(self.credit[there] - now)
            self.write(writer, piece)
