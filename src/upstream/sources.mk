# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libupstream.a
libupstream_a_SOURCES = src/upstream/allowance.c src/upstream/allowance.h src/upstream/ask.c src/upstream/ask_rows.h src/upstream/backoff.c src/upstream/backoff.h \
  src/upstream/bootstrap.c src/upstream/budget.c src/upstream/budget.h src/upstream/condition.c src/upstream/condition.h src/upstream/edns.c src/upstream/edns.h src/upstream/fallback.c src/upstream/fallback.h src/upstream/fallback_watch.c src/upstream/fitness.c src/upstream/fitness.h src/upstream/group.h src/upstream/groups.c src/upstream/idle.c src/upstream/idle.h \
  src/upstream/losses.c src/upstream/losses.h src/upstream/network.c src/upstream/events.c src/upstream/notes.c src/upstream/notes.h src/upstream/outages.c src/upstream/outages.h \
  src/upstream/plan.c src/upstream/pool.c src/upstream/priority.c src/upstream/priority.h src/upstream/probe.c src/upstream/report.c src/upstream/routes.c src/upstream/rtt.c src/upstream/rtt.h \
  src/upstream/spread.c src/upstream/tickets.c src/upstream/transport/dot.c src/upstream/transport/https.c src/upstream/transport/secure.c src/upstream/transport/secure.h src/upstream/transport/ids.c src/upstream/transport/ids.h \
  src/upstream/transport/letter_case.c src/upstream/transport/letter_case.h src/upstream/transport/plain.c src/upstream/transport/plain.h \
  src/upstream/transport/session.c src/upstream/transport/session.h src/upstream/transport/session_watch.c src/upstream/transport/stream_session.c \
  src/upstream/transport/silence.h src/upstream/transport/tcp.c src/upstream/transport/transport.h src/upstream/transport/udp.c \
  src/upstream/transport/udp.h src/upstream/transport/udp_receive.c src/upstream/transport/udp_tcp.c src/upstream/upstream.c
noinst_HEADERS += include/upstream/ask.h include/upstream/attempt.h include/upstream/bootstrap.h include/upstream/groups.h include/upstream/report.h include/upstream/routes.h \
  include/upstream/spread.h include/upstream/tickets.h include/upstream/upstream.h

# Parts of the state of a server: values that need no group, no session and no loop.
check_PROGRAMS += tests/unit/test_allowance tests/unit/test_backoff tests/unit/test_budget tests/unit/test_condition tests/unit/test_edns tests/unit/test_fallback tests/unit/test_idle tests/unit/test_letter_case \
  tests/unit/test_losses tests/unit/test_notes tests/unit/test_outages tests/unit/test_priority tests/unit/test_rtt tests/unit/test_silence
tests_unit_test_allowance_SOURCES = tests/unit/test_allowance.c
tests_unit_test_allowance_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_backoff_SOURCES = tests/unit/test_backoff.c
tests_unit_test_backoff_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_budget_SOURCES = tests/unit/test_budget.c
tests_unit_test_budget_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_condition_SOURCES = tests/unit/test_condition.c
tests_unit_test_condition_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_edns_SOURCES = tests/unit/test_edns.c
tests_unit_test_edns_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_idle_SOURCES = tests/unit/test_idle.c
tests_unit_test_idle_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_letter_case_SOURCES = tests/unit/test_letter_case.c
tests_unit_test_letter_case_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_losses_SOURCES = tests/unit/test_losses.c
tests_unit_test_losses_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_notes_SOURCES = tests/unit/test_notes.c
tests_unit_test_notes_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_outages_SOURCES = tests/unit/test_outages.c
tests_unit_test_outages_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_fallback_SOURCES = tests/unit/test_fallback.c
tests_unit_test_fallback_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_priority_SOURCES = tests/unit/test_priority.c
tests_unit_test_priority_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_rtt_SOURCES = tests/unit/test_rtt.c
tests_unit_test_rtt_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_silence_SOURCES = tests/unit/test_silence.c
tests_unit_test_silence_LDADD = libupstream.a $(base_libs) $(CMOCKA_LIBS)

# Tests with a fake network instead of net/.
fake_net_sources = tests/unit/fake_datagrams.c tests/unit/fake_datagrams.h tests/unit/fake_net.c tests/unit/fake_net.h tests/unit/fake_store.c tests/unit/fake_store.h
fake_upstream_libs = libupstream.a libconfig.a $(LIBFYAML_LIBS) $(dns_libs)
check_PROGRAMS += tests/unit/test_ask tests/unit/test_fitness tests/unit/test_events tests/unit/test_plan tests/unit/test_policy tests/unit/test_pool tests/unit/test_probe tests/unit/test_report tests/unit/test_routes tests/unit/test_session tests/unit/test_transport tests/unit/test_transport_udp tests/unit/test_upstream
tests_unit_test_ask_SOURCES = tests/unit/test_ask.c $(fake_net_sources)
tests_unit_test_ask_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_fitness_SOURCES = tests/unit/test_fitness.c $(fake_net_sources)
tests_unit_test_fitness_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_events_SOURCES = tests/unit/test_events.c $(fake_net_sources)
tests_unit_test_events_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_upstream_SOURCES = tests/unit/test_upstream.c $(fake_net_sources)
tests_unit_test_upstream_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_probe_SOURCES = tests/unit/test_probe.c $(fake_net_sources)
tests_unit_test_probe_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_report_SOURCES = tests/unit/test_report.c $(fake_net_sources)
tests_unit_test_report_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_routes_SOURCES = tests/unit/test_routes.c $(fake_net_sources)
tests_unit_test_routes_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c $(fake_net_sources)
tests_unit_test_plan_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c $(fake_net_sources)
tests_unit_test_policy_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c $(fake_net_sources)
tests_unit_test_pool_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_session_SOURCES = tests/unit/test_session.c $(fake_net_sources)
tests_unit_test_session_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_transport_udp_SOURCES = tests/unit/test_transport_udp.c $(fake_net_sources)
tests_unit_test_transport_udp_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)
tests_unit_test_transport_SOURCES = tests/unit/test_transport.c $(fake_net_sources)
tests_unit_test_transport_LDADD = $(fake_upstream_libs) $(CMOCKA_LIBS)

fuzz_targets += tests/fuzz/fuzz_session
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c tests/fuzz/fuzz.h $(fake_net_sources) $(fuzz_main)
tests_fuzz_fuzz_session_LDADD = $(fake_upstream_libs)
tests_fuzz_fuzz_session_LDFLAGS = $(fuzz_ldflags)
