# SPDX-License-Identifier: MIT
"""cache.nxdomain-cut: names below one that does not exist (RFC 8020)."""
import pytest

import lies
import wire
import zone
from test_control import control, post
from test_reload import make_reloadable  # noqa: F401
from test_saved import saving  # noqa: F401

NXDOMAIN = 3


def denies(daemon, name, rdtype="A", **parts):
    response = daemon.ask(name, rdtype, **parts)
    assert response.rcode() == NXDOMAIN and not response.answer, response
    return response


def received(server):
    return [query.name for query in server.queries]


def test_names_below_a_validated_nxdomain_do_not_exist(daemon, server):
    denies(daemon, "gone.nx.ad.example", do=True)
    for tcp in (False, True):
        for do in (False, True):
            response = denies(daemon, "Www.a.GONE.nx.ad.example", "AAAA", do=do, tcp=tcp)
            assert response.question[0].name.to_text() == "Www.a.GONE.nx.ad.example."
            assert bool(response.flags & wire.AD) == do
            assert [(rrset.name.to_text(), rrset.ttl <= 300) for rrset in response.authority] == [("example.", True)]
    assert received(server) == ["gone.nx.ad.example"]
    assert control(daemon, "/stats").json["counters"]["cache_nxdomain_cuts"] == 4
    denies(daemon, "nx.ad.example")  # the entry is for a name above
    assert received(server)[1:] == ["nx.ad.example"]


@pytest.mark.parametrize("which", ["name", "suffix"])
def test_a_flush_of_a_name_ends_the_nxdomain_of_names_above_it(daemon, server, which):
    denies(daemon, "gone.nx.ad.example")
    denies(daemon, "www.gone.nx.ad.example")
    denies(daemon, "other.nx.ad.example")
    assert post(daemon, f"/flush?{which}=www.gone.nx.ad.example").json == {"flushed": 1}
    denies(daemon, "www.gone.nx.ad.example")
    denies(daemon, "other.nx.ad.example")
    assert received(server) == ["gone.nx.ad.example", "other.nx.ad.example", "www.gone.nx.ad.example"]


@pytest.mark.parametrize("first, flags", [
    ("gone.nx.example", {}),  # not validated
    *((f"gone.nx.ad.ede{code}.example", {}) for code in (15, 16, 17)),
    ("gone.nx.ad.example", {"flags": wire.RD | wire.CD}),
    ("gone.nx.ad.ttl0.nosoa.example", {}),  # not stored
])  # fmt: skip
def test_other_responses_deny_their_own_name_only(daemon, server, first, flags):
    denies(daemon, first, edns=True, **flags)
    denies(daemon, f"www.{first}", edns=True)
    assert received(server) == [first, f"www.{first}"]


def test_an_alias_to_a_name_that_does_not_exist_denies_nothing_below_itself(daemon, server):
    def twist(query, truth):
        return [wire.message(id=query.question.id, flags=wire.QR | wire.RD | wire.RA | wire.AD | NXDOMAIN,
                             question=wire.question_section(query.data), authority=[zone.soa()],
                             answers=[wire.rr(query.name, zone.CNAME, wire.name_wire("gone.example"), 300)])]
    with server.lying(twist=twist):
        daemon.ask("alias.example")
    assert wire.addresses(daemon.ask("www.alias.example"))
    assert received(server) == ["alias.example", "www.alias.example"]


def test_a_name_below_that_exists_ends_it(daemon, server):
    nxdomain = lies.says(authority=[zone.soa()], rcode=NXDOMAIN | wire.AD)
    assert wire.addresses(daemon.ask("www.ent.example"))
    with server.lying(twist=nxdomain):
        denies(daemon, "ent.example")
    assert wire.addresses(daemon.ask("mail.ent.example"))
    with server.lying(twist=nxdomain):
        denies(daemon, "later.example")
        denies(daemon, "a.later.example")
    assert wire.addresses(daemon.ask("www.later.example", flags=wire.RD | wire.CD))  # an entry with CD does not count for queries without
    denies(daemon, "b.later.example")
    assert received(server) == ["www.ent.example", "ent.example", "mail.ent.example", "later.example", "www.later.example"]


def test_the_option(make_reloadable, server):  # noqa: F811
    daemon = make_reloadable(server, cache={"nxdomain-cut": "no"})
    denies(daemon, "a.nx.ad.example")
    denies(daemon, "www.a.nx.ad.example")
    assert len(server.queries) == 2
    daemon.reload(cache={"nxdomain-cut": "yes"})
    denies(daemon, "b.nx.example")
    denies(daemon, "www.b.nx.example")
    assert len(server.queries) == 3
    daemon.reload(cache={"nxdomain-cut": "secure"})
    denies(daemon, "ftp.b.nx.example")
    denies(daemon, "ftp.a.nx.ad.example")
    assert len(server.queries) == 4


def test_a_restart_keeps_it(make_daemon, server, saving):  # noqa: F811
    daemon = make_daemon(server, **saving)
    assert wire.addresses(daemon.ask("www.ent.example"))
    with server.lying(twist=lies.says(authority=[zone.soa()], rcode=NXDOMAIN | wire.AD)):
        denies(daemon, "ent.example")
        denies(daemon, "gone.example")
    daemon.stop()
    daemon = make_daemon(server, **saving)
    denies(daemon, "www.gone.example")
    assert wire.addresses(daemon.ask("mail.ent.example"))
    assert received(server) == ["www.ent.example", "ent.example", "gone.example", "mail.ent.example"]
