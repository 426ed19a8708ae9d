"""A TCP relay that stands between clients and a bus and misbehaves on request.

It listens at host:PORT for each of the bus' three ports and passes bytes on to the same port of the
bus. The bus must tell a wildcard host in WELCOME (0.0.0.0), so that clients come to the relay for the other two.
Runs in a thread of its own; faults are set from outside and hold for what passes from then on."""

import asyncio
import random
import socket
import struct
import threading

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: a reset instead of an orderly end


class Relay:
    def __init__(self, host, bus, ports, rng=None):
        self.host, self.bus, self.ports = host, bus, ports
        self.rng = rng or random.Random(0)
        self.delay = 0.0      # seconds that each piece waits
        self.stalled = False  # nothing passes, nothing is closed
        self.piece = 65536    # bytes at a time
        self.cut_bytes = 0    # a connection is cut after 1..so many bytes, wherever that falls; 0: never
        self.deaf = None      # "bus" or "client": what that side sends is swallowed
        self.rewrite = None   # (old, new) of one length, in what the bus sends: addresses in WELCOME
        self.tap = None       # gives for a port a function (side, data) that sees what passes
        self.passed = self.cuts = self.swallowed = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers = [self._call(asyncio.start_server(self._accept(port), host, port)) for port in ports]

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def close(self):
        for server in self._servers:
            self._loop.call_soon_threadsafe(server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def well(self):
        self.delay, self.stalled, self.piece, self.cut_bytes, self.deaf = 0.0, False, 65536, 0, None

    def _accept(self, port):
        async def serve(reader, writer):
            try:
                bus_reader, bus_writer = await asyncio.open_connection(self.bus, port)
            except OSError:
                writer.transport.abort()
                return
            seen = self.tap(port) if self.tap else lambda side, data: None
            await asyncio.gather(self._pump("client", reader, bus_writer, writer, seen),
                                 self._pump("bus", bus_reader, writer, bus_writer, seen))
        return serve

    async def _pump(self, side, reader, writer, back, seen):
        cut_bytes, left = 0, 0
        try:
            while not writer.is_closing():
                data = await reader.read(self.piece)
                if not data:
                    break
                if self.delay:
                    await asyncio.sleep(self.delay)
                while self.stalled:
                    await asyncio.sleep(0.02)
                if self.deaf == side:
                    self.swallowed += len(data)
                    continue
                if self.cut_bytes != cut_bytes:
                    cut_bytes = self.cut_bytes
                    left = self.rng.randint(1, cut_bytes) if cut_bytes else 0
                if cut_bytes and len(data) >= left:
                    writer.write(data[:left])
                    await writer.drain()
                    self.cuts += 1
                    self._cut(writer, back)
                    return
                left -= len(data)
                if self.rewrite and side == "bus":
                    data = data.replace(*self.rewrite)
                seen(side, data)
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    def _cut(self, *writers):
        """Both sides; half of the time by a reset."""
        for writer in writers:
            if self.rng.random() < 0.5:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
            else:
                writer.close()
