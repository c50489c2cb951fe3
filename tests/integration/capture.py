# SPDX-License-Identifier: MIT
"""Captures every packet on the loopback interface, or on all interfaces, of a namespace with a packet socket."""
import collections
import ipaddress
import socket
import struct
import threading

ETH_P_ALL, PACKET_OUTGOING = 3, 4
Packet = collections.namedtuple("Packet", "protocol source source_port target target_port flags payload data")
SYN = 2


def read_packet(frame):
    """Parses an Ethernet frame of loopback; only UDP and TCP have ports, flags and a payload."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    data = frame[14:]
    if kind == 0x0800:
        protocol, at = data[9], (data[0] & 15) * 4
        source, target = data[12:16], data[16:20]
        data = data[:struct.unpack_from("!H", data, 2)[0]]
    elif kind == 0x86DD:
        protocol, at = data[6], 40
        source, target = data[8:24], data[24:40]
    else:
        return Packet(f"ethernet {kind:#x}", None, 0, None, 0, 0, data, data)
    source, target = str(ipaddress.ip_address(source)), str(ipaddress.ip_address(target))
    if protocol not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        return Packet(f"ip {protocol}", source, 0, target, 0, 0, data[at:], data)
    source_port, target_port = struct.unpack_from("!HH", data, at)
    if protocol == socket.IPPROTO_UDP:
        return Packet("udp", source, source_port, target, target_port, 0, data[at + 8:], data)
    payload = data[at + (data[at + 12] >> 4) * 4:]
    return Packet("tcp", source, source_port, target, target_port, data[at + 13], payload, data)


class Capture:
    def __init__(self, namespace, interface="lo"):
        """`interface` "": all."""
        self.packets, self.changed = [], threading.Condition()
        self.socket = namespace.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        if interface:
            self.socket.bind((interface, 0))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                frame, (_, _, kind, _, _) = self.socket.recvfrom(65535 + 14)
            except OSError:
                return
            if kind == PACKET_OUTGOING:  # loopback shows each packet twice
                packet = read_packet(frame)
                with self.changed:
                    self.packets.append(packet)
                    self.changed.notify_all()
                if packet.payload == self.END:
                    return

    END = b"this is the end of the capture"

    def stop(self, namespace):
        """Waits for all packets that were sent before this call, and returns them."""
        with namespace.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(self.END, ("127.0.0.1", 9))
        self.thread.join(10)
        self.socket.close()
        return [packet for packet in self.packets if packet.payload != self.END and not packet.protocol == "ip 1"]
