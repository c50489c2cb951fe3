# SPDX-License-Identifier: MIT
"""A signed tree for the rows with validation, served over DNS over TLS by Debian's unbound, which has all zones in memory:

    .  example  warm.example (names 0.warm.example and so on)  z0.example, z1.example and so on (each with the name www)
    plain.example (names 0.plain.example and so on, UNSIGNED times as many as in warm.example)

All zones but plain.example are signed with ECDSA P-256 and have NSEC records. An address is the one that the generator expects of its name.
"""
import dns.name

import signed
import zone
from processes import free_port

UNSIGNED = 5
SOA = "@ 300 IN SOA ns.example. host.example. 1 7200 3600 604800 300\n@ 300 IN NS ns.example.\n"


def address(name):
    return f"{name}. 300 IN A {zone.address(name)}\n"


class Tree:
    """`zones`: origin -> text. `names` in warm.example, and `small` zones."""

    def __init__(self, names, small):
        self.zones, self.names, self.small, children = {}, names, small, {}
        for number in range(small):
            self.add(f"z{number}.example.", address(f"www.z{number}.example"), children)
        self.zones["plain.example."] = "$ORIGIN plain.example.\n" + SOA + "".join(address(f"{number}.plain.example") for number in range(names * UNSIGNED))
        self.add("warm.example.", "".join(address(f"{number}.warm.example") for number in range(names)), children)
        cuts = "".join(f"{name} 300 IN NS ns.example.\n" for name in [*children, "plain.example."])
        self.add("example.", address("first.example") + address("ns.example") + cuts, children)
        self.anchor = f". IN DS {self.add('.', 'example. 300 IN NS ns.example.' + chr(10), children).to_text()}"

    def add(self, origin, text, children):
        self.zones[origin], _, ds = signed.sign(origin, SOA + text, {name: ds for name, ds in children.items() if name.parent().to_text() == origin})
        children[dns.name.from_text(origin)] = ds
        return ds


class Server(signed.UnboundProcess):
    """It validates nothing itself, and never needs another server."""

    def __init__(self, place, tree):
        directory, certificate = place.directory(), place.certificates.good
        self.port = free_port("127.0.0.1")
        text = f"""server:
    directory: "{directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    do-daemonize: no
    interface: 127.0.0.1@{self.port}
    tls-port: {self.port}
    tls-service-key: "{certificate.key_file}"
    tls-service-pem: "{certificate.chain_file}"
    module-config: "iterator"
    incoming-num-tcp: 1000
    msg-cache-size: 64m
    rrset-cache-size: 128m
remote-control:
    control-enable: no
"""
        for number, (origin, content) in enumerate(tree.zones.items()):
            (directory / f"zone{number}").write_text(content)
            text += f'auth-zone:\n    name: "{origin}"\n    zonefile: "{directory}/zone{number}"\n' \
                    "    for-downstream: no\n    for-upstream: yes\n    fallback-enabled: no\n"
        self.start(directory, text)
