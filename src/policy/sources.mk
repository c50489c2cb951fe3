# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = src/policy/block.c src/policy/blockanswer.c src/policy/blockanswer.h src/policy/blocklines.c \
  src/policy/blocklines.h src/policy/blocklist.c src/policy/blocklist.h src/policy/blockrpz.c src/policy/blockrules.c \
  src/policy/blockrules.h src/policy/blocksource.c src/policy/blocksource.h src/policy/cookies.c src/policy/discovery.c src/policy/dns64.c \
  src/policy/filter.c src/policy/health.c src/policy/hosts.c src/policy/hosts.h src/policy/hosts_leases.c src/policy/hosts_read.c \
  src/policy/hosts_read.h src/policy/hosts_table.c src/policy/hosts_table.h src/policy/local.c src/policy/local.h \
  src/policy/presence.c src/policy/presence.h src/policy/private.c src/policy/ratelimit.c src/policy/rebind.c src/policy/rebind.h \
  src/policy/records.c src/policy/refuse.c src/policy/search.c src/policy/single_label.c src/policy/sort.c src/policy/special.c \
  src/policy/special.h
noinst_HEADERS += include/policy/blocking.h include/policy/steps.h

check_PROGRAMS += tests/unit/test_cookies tests/unit/test_health_name tests/unit/test_hosts tests/unit/test_presence \
  tests/unit/test_ratelimit tests/unit/test_rebind tests/unit/test_refuse \
  tests/unit/test_single_label tests/unit/test_special tests/unit/test_zone_data
tests_unit_test_cookies_SOURCES = tests/unit/test_cookies.c tests/unit/asker.h
tests_unit_test_cookies_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_ratelimit_SOURCES = tests/unit/test_ratelimit.c tests/unit/asker.h
tests_unit_test_ratelimit_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_rebind_SOURCES = tests/unit/test_rebind.c tests/unit/asker.h
tests_unit_test_rebind_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_health_name_SOURCES = tests/unit/test_health_name.c tests/unit/asker.h
tests_unit_test_health_name_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_zone_data_SOURCES = tests/unit/test_zone_data.c tests/unit/asker.h
tests_unit_test_zone_data_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_hosts_SOURCES = tests/unit/test_hosts.c tests/unit/asker.h
tests_unit_test_hosts_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_refuse_SOURCES = tests/unit/test_refuse.c tests/unit/asker.h
tests_unit_test_refuse_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_single_label_SOURCES = tests/unit/test_single_label.c tests/unit/asker.h
tests_unit_test_single_label_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_special_SOURCES = tests/unit/test_special.c tests/unit/asker.h
tests_unit_test_special_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_presence_SOURCES = tests/unit/test_presence.c tests/unit/asker.h
tests_unit_test_presence_LDADD = $(policy_libs) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_block tests/unit/test_blocklist
tests_unit_test_block_SOURCES = tests/unit/test_block.c tests/unit/asker.h
tests_unit_test_block_LDADD = $(policy_libs) $(CMOCKA_LIBS)
tests_unit_test_blocklist_SOURCES = tests/unit/test_blocklist.c
tests_unit_test_blocklist_LDADD = $(policy_libs) $(CMOCKA_LIBS)

fuzz_targets += tests/fuzz/fuzz_block
tests_fuzz_fuzz_block_SOURCES = tests/fuzz/fuzz_block.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_block_LDADD = $(policy_libs)
tests_fuzz_fuzz_block_LDFLAGS = $(fuzz_ldflags)
