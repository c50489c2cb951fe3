# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = src/base/addr.c src/base/bytes.c src/base/clock.c src/base/counters.c src/base/errors.c src/base/file.c \
  src/base/hash.c src/base/histogram.c src/base/identity.c src/base/io.c src/base/lines.c src/base/list.c src/base/log.c src/base/logsink.c src/base/logsink.h src/base/mem.c src/base/prefixmap.c src/base/process.c src/base/reasons.c src/base/slab.c \
  src/base/spelling.c src/base/table.c
noinst_HEADERS += include/base/addr.h include/base/bytes.h include/base/check.h include/base/clock.h \
  include/base/counters.h include/base/errors.h include/base/file.h include/base/hash.h include/base/histogram.h include/base/identity.h include/base/io.h include/base/lines.h include/base/list.h include/base/log.h \
  include/base/mem.h include/base/prefixmap.h include/base/process.h include/base/reasons.h include/base/reserve.h include/base/slab.h include/base/spelling.h include/base/table.h

check_PROGRAMS += tests/unit/test_addr tests/unit/test_bytes tests/unit/test_clock tests/unit/test_counters \
  tests/unit/test_errors tests/unit/test_file tests/unit/test_hash tests/unit/test_histogram tests/unit/test_identity tests/unit/test_io tests/unit/test_list tests/unit/test_log tests/unit/test_mem \
  tests/unit/test_prefixmap tests/unit/test_process tests/unit/test_reasons tests/unit/test_reserve tests/unit/test_slab tests/unit/test_table
tests_unit_test_addr_SOURCES = tests/unit/test_addr.c
tests_unit_test_addr_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_bytes_SOURCES = tests/unit/test_bytes.c
tests_unit_test_bytes_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_clock_SOURCES = tests/unit/test_clock.c
tests_unit_test_clock_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_counters_SOURCES = tests/unit/test_counters.c
tests_unit_test_counters_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_errors_SOURCES = tests/unit/test_errors.c
tests_unit_test_errors_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_file_SOURCES = tests/unit/test_file.c
tests_unit_test_file_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_histogram_SOURCES = tests/unit/test_histogram.c
tests_unit_test_histogram_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c
tests_unit_test_identity_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_io_SOURCES = tests/unit/test_io.c
tests_unit_test_io_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_list_SOURCES = tests/unit/test_list.c
tests_unit_test_list_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_mem_SOURCES = tests/unit/test_mem.c
tests_unit_test_mem_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_prefixmap_SOURCES = tests/unit/test_prefixmap.c
tests_unit_test_prefixmap_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_process_SOURCES = tests/unit/test_process.c
tests_unit_test_process_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_reasons_SOURCES = tests/unit/test_reasons.c
tests_unit_test_reasons_LDADD = $(base_libs) $(CMOCKA_LIBS)
# Not in libbase.a: the linker would take its malloc for every program.
tests_unit_test_reserve_SOURCES = tests/unit/test_reserve.c src/base/reserve.c
tests_unit_test_reserve_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_slab_SOURCES = tests/unit/test_slab.c
tests_unit_test_slab_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_table_SOURCES = tests/unit/test_table.c
tests_unit_test_table_LDADD = $(base_libs) $(CMOCKA_LIBS)
# The linker puts the test's own function in the place of the system's.
tests_unit_test_clock_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
tests_unit_test_hash_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sodium_init
