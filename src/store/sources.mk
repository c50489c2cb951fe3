# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = src/store/cluster.c src/store/fleet.c src/store/fleet.h src/store/flushes.c src/store/flushes.h src/store/get.c src/store/get.h \
  src/store/health.c src/store/health.h src/store/inside.h src/store/lease.c src/store/lease.h src/store/nearest.c src/store/nearest.h src/store/node.c src/store/node.h src/store/plain.c src/store/popular.c src/store/popular.h src/store/resp.c src/store/resp.h \
  src/store/seal.c src/store/seal.h src/store/sentinel.c src/store/setup.c src/store/setup.h src/store/slotmap.c src/store/slotmap.h src/store/client.c \
  src/store/topology.c src/store/topology.h src/store/value.c src/store/value.h
noinst_HEADERS += include/store/store.h

check_PROGRAMS += tests/unit/test_seal tests/unit/test_store_health tests/unit/test_store_value tests/unit/test_resp tests/unit/test_flushes \
  tests/unit/test_store_client tests/unit/test_store_sentinel tests/unit/test_store_cluster tests/unit/test_slotmap
tests_unit_test_seal_SOURCES = tests/unit/test_seal.c
tests_unit_test_seal_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_store_health_SOURCES = tests/unit/test_store_health.c
tests_unit_test_store_health_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_store_value_SOURCES = tests/unit/test_store_value.c
tests_unit_test_store_value_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_resp_SOURCES = tests/unit/test_resp.c
tests_unit_test_resp_LDADD = $(store_libs) $(CMOCKA_LIBS)

tests_unit_test_flushes_SOURCES = tests/unit/test_flushes.c
tests_unit_test_flushes_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_store_client_SOURCES = tests/unit/test_store_client.c tests/unit/fake_nodes.c tests/unit/fake_nodes.h
tests_unit_test_store_client_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_store_sentinel_SOURCES = tests/unit/test_store_sentinel.c $(store_run)
tests_unit_test_store_sentinel_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_store_cluster_SOURCES = tests/unit/test_store_cluster.c $(store_run)
tests_unit_test_store_cluster_LDADD = $(store_libs) $(CMOCKA_LIBS)
tests_unit_test_slotmap_SOURCES = tests/unit/test_slotmap.c
tests_unit_test_slotmap_LDADD = $(store_libs) $(CMOCKA_LIBS)
store_run = tests/unit/fake_nodes.c tests/unit/fake_nodes.h tests/unit/store_run.c tests/unit/store_run.h

fuzz_targets += tests/fuzz/fuzz_store
tests_fuzz_fuzz_store_SOURCES = tests/fuzz/fuzz_store.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_store_LDADD = $(store_libs)
tests_fuzz_fuzz_store_LDFLAGS = $(fuzz_ldflags)
