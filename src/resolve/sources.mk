# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libresolve.a
libresolve_a_SOURCES = src/resolve/denied.c src/resolve/failures.c src/resolve/failures.h src/resolve/host_lookup.c src/resolve/key_lookup.c src/resolve/lookup.c \
  src/resolve/lookup.h src/resolve/lookup_record.c src/resolve/lookup_wait.c src/resolve/negatives.c src/resolve/query.c src/resolve/querylog.c \
  src/resolve/recorder.c src/resolve/refresh.h src/resolve/reporting.c src/resolve/resolver.c src/resolve/share.c src/resolve/step.c \
  src/resolve/step_cache.c src/resolve/step_lookup.c src/resolve/step_validate.c src/resolve/stored.c src/resolve/subquery.c src/resolve/tally.c \
  src/resolve/trace.c src/resolve/tracked.c src/resolve/validate.c src/resolve/validate_ahead.c src/resolve/validator.h
noinst_HEADERS += include/resolve/blocked.h include/resolve/context.h include/resolve/host_lookup.h include/resolve/key_lookup.h include/resolve/negatives.h include/resolve/query.h \
  include/resolve/querylog.h include/resolve/recorder.h include/resolve/resolver.h include/resolve/share.h include/resolve/step.h \
  include/resolve/subquery.h include/resolve/tally.h include/resolve/trace.h include/resolve/tracked.h include/resolve/waiter.h

# Tests with the fake network of src/upstream/sources.mk.
fake_resolve_libs = libresolve.a libcache.a libdnssec.a $(fake_upstream_libs) $(GNUTLS_LIBS)
check_PROGRAMS += tests/unit/test_failures tests/unit/test_lookup tests/unit/test_query tests/unit/test_querylog tests/unit/test_recorder tests/unit/test_routing tests/unit/test_share tests/unit/test_stages tests/unit/test_steps tests/unit/test_trace
tests_unit_test_failures_SOURCES = tests/unit/test_failures.c $(fake_net_sources)
tests_unit_test_failures_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_recorder_SOURCES = tests/unit/test_recorder.c tests/unit/fake_client.h $(fake_net_sources)
tests_unit_test_recorder_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_query_SOURCES = tests/unit/test_query.c tests/unit/fake_client.h tests/unit/seeds.h $(fake_net_sources)
tests_unit_test_query_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_querylog_SOURCES = tests/unit/test_querylog.c tests/unit/fake_client.h $(fake_net_sources)
tests_unit_test_querylog_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_steps_SOURCES = tests/unit/test_steps.c tests/unit/fake_client.h tests/unit/seeds.h $(fake_net_sources)
tests_unit_test_steps_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_trace_SOURCES = tests/unit/test_trace.c tests/unit/fake_client.h $(fake_net_sources)
tests_unit_test_trace_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_lookup_SOURCES = tests/unit/test_lookup.c tests/unit/fake_client.h $(fake_net_sources)
tests_unit_test_lookup_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_routing_SOURCES = tests/unit/test_routing.c tests/unit/fake_client.h $(fake_net_sources)
tests_unit_test_routing_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
tests_unit_test_share_SOURCES = tests/unit/test_share.c
tests_unit_test_share_LDADD = libresolve.a $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_stages_SOURCES = tests/unit/test_stages.c tests/unit/fake_client.h $(fake_net_sources)
tests_unit_test_stages_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_negatives
tests_unit_test_negatives_SOURCES = tests/unit/test_negatives.c $(fake_net_sources)
tests_unit_test_negatives_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_reporting
tests_unit_test_reporting_SOURCES = tests/unit/test_reporting.c $(fake_net_sources)
tests_unit_test_reporting_LDADD = $(fake_resolve_libs) $(CMOCKA_LIBS)
