# SPDX-License-Identifier: MIT
"""Client libraries behind dotstub: glibc, musl, Node, Java and Go resolve whatever an upstream does. A runtime that is not installed is
skipped. TEST_MUSL names another compiler for musl, of a later version than the distribution's, say."""
import ipaddress
import os
import pathlib
import shlex
import shutil
import subprocess

import pytest

import lies
import zone

HERE = pathlib.Path(__file__).parent / "resolvers"
MUSL = ["musl-gcc", *filter(None, [os.environ.get("TEST_MUSL")])]
# First labels of names, and what the upstream answers to their A and ANY queries.
ODD = {
    "behind": lies.says("t=1 q>t"),  # the alias behind its target
    "backwards": lies.says("c=3 b>c a>b q>a"),
    "strangers": lies.says("other.example=9 q=1 t=8 elsewhere.test=7"),
    "broken": lies.malformed("broken additional record"),
    "padded": lies.malformed("468 bytes of zeros behind the answer"),
    "twice": lies.malformed("two OPTs"),
}
RIGHT = {"behind": "11.0.0.1", "backwards": "11.0.0.3", "strangers": "11.0.0.1", "broken": "11.0.0.1", "padded": "11.0.0.1",
         "twice": "11.0.0.1"}
FILES = {"resolv.conf": "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n", "nsswitch.conf": "hosts: files dns\n",
         "hosts": "127.0.0.1 localhost\n", "gai.conf": ""}


def odd(query, truth):
    twist = ODD.get(query.name.lower().split(".")[0])
    return twist(query, truth) if twist and query.type in (zone.A, 255) else [truth]


@pytest.fixture
def resolve(make_server, make_daemon, make_namespace, public_path):
    """A function that runs a program with names in a network whose only resolver is dotstub: name -> list of addresses, or an error."""
    namespace = make_namespace().up()
    server = make_server(namespace=namespace)
    server.twist = odd
    make_daemon(server, namespace=namespace, addresses=("127.0.0.1",), port=53)
    for name, text in FILES.items():
        (public_path / name).write_text(text)
    mounts = "".join(f"[ ! -e /etc/{name} ] || mount --bind {public_path}/{name} /etc/{name}; " for name in FILES)

    def run(command, *names, **variables):
        done = subprocess.run([*namespace.prefix, "unshare", "--mount", "sh", "-c", mounts + 'exec "$@"', "sh", *map(str, command), *names],
                              env={**os.environ, **variables}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        found = {name: [] for name in names}
        for line in done.stdout.splitlines():
            name, _, rest = line.partition(" ")
            found[name].append(rest)
        return found
    return run


def is_error(found):
    return len(found) == 1 and found[0].startswith("error")


def v4(found):
    return [address for address in found if ":" not in address and not address.startswith("error")]


def canonical(address):
    return str(ipaddress.ip_address(address))


def check_all(run, *, most=200, whole=True):
    """`most`: addresses that the library gives at most, 0: any number; `whole`: it retries over TCP."""
    found = run("plain.example", "alias.cname3.example", *(f"{label}.example" for label in ODD), "gone.nx.example", "empty.nodata.example",
                "many200.example")
    assert v4(found["plain.example"]) == [zone.address("plain.example")]
    assert zone.address6("plain.example") in map(canonical, found["plain.example"])
    assert v4(found["alias.cname3.example"]) == [zone.address("alias.example")]
    for label, address in RIGHT.items():
        assert v4(found[f"{label}.example"]) == [address], f"{label}: {found}"
    assert is_error(found["gone.nx.example"]) and is_error(found["empty.nodata.example"])
    many = v4(found["many200.example"])
    assert not most or len(many) == len(set(many)) == most if whole else 10 <= len(many) < 48, f"{len(many)} addresses"
    first = set()
    for _ in range(8):
        four = v4(run("many4.example")["many4.example"])
        assert len(four) == 4
        first.add(four[0])
    assert len(first) > 1, "always the same address first"


def compiled(tmp_path, *compiler):
    subprocess.run([*compiler, "-O1", "-o", tmp_path / "resolve", HERE / "resolve.c"], check=True, timeout=120)
    return tmp_path / "resolve"


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def test_glibc(resolve, tmp_path):
    program = compiled(tmp_path, "gcc")
    check_all(lambda *names: resolve([program], *names))


def musl_version():
    """Of the distribution's."""
    said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "musl"], capture_output=True, text=True).stdout
    return [int(part) for part in said.split("-")[0].split(".") if part.isdigit()]


@pytest.mark.parametrize("compiler", MUSL, ids=lambda compiler: compiler.split()[0])
def test_musl(resolve, tmp_path, compiler):
    """Without TCP (before 1.2.4) it needs the records that fit; with TCP it takes 48 addresses, one of them the AAAA. 1.2.4 itself takes none of
    a response as large as this, whatever the server."""
    words = shlex.split(compiler)
    needs(words[0])
    program = compiled(tmp_path, *words, "-static")
    version = musl_version() if compiler == "musl-gcc" else [1, 2, 5]
    check_all(lambda *names: resolve([program], *names), most=0 if version == [1, 2, 4] else 47, whole=version >= [1, 2, 4])


@pytest.mark.parametrize("resolver", ["lookup", pytest.param("resolve", marks=pytest.mark.whole)])
def test_node(resolve, resolver):
    needs("node")
    check_all(lambda *names: resolve(["node", HERE / "resolve.js"], *names, RESOLVER=resolver))


def test_node_any(resolve):
    needs("node")
    found = resolve(["node", HERE / "resolve.js"], "strangers.example", "plain.example", RESOLVER="any")
    assert found == {"strangers.example": ["11.0.0.1"], "plain.example": ["error ENODATA"]}


def java(tmp_path):
    needs("javac")
    subprocess.run(["javac", "-d", tmp_path, HERE / "Resolve.java"], check=True, timeout=120)
    return ["java", "-cp", tmp_path, "Resolve"]


@pytest.mark.whole
@pytest.mark.parametrize("resolver", [pytest.param("lookup", marks=pytest.mark.whole), "jndi"])
def test_java(resolve, tmp_path, resolver):
    program = java(tmp_path)
    check_all(lambda *names: resolve(program, *names, RESOLVER=resolver))


@pytest.mark.whole
def test_java_any(resolve, tmp_path):
    found = resolve(java(tmp_path), "strangers.example", "plain.example", "gone.nx.example", RESOLVER="any")
    assert found == {"strangers.example": ["11.0.0.1"], "plain.example": ["error no data"],
                     "gone.nx.example": ["error NameNotFoundException"]}


@pytest.mark.parametrize("resolver", ["go", "cgo"])
def test_go(resolve, tmp_path, resolver):
    needs("go")
    subprocess.run(["go", "build", "-o", tmp_path / "resolve", HERE / "resolve.go"], check=True, timeout=300,
                   env={**os.environ, "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod", "HOME": str(tmp_path)})
    check_all(lambda *names: resolve([tmp_path / "resolve"], *names, GODEBUG=f"netdns={resolver}"))
