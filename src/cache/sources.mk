# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libcache.a
libcache_a_SOURCES = src/cache/cache.c src/cache/cut.c src/cache/cut.h src/cache/dump_format.h src/cache/dump_read.c src/cache/dump_write.c src/cache/entry.h src/cache/inside.h src/cache/ring.c \
  src/cache/ring.h src/cache/shard.c src/cache/shard.h
noinst_HEADERS += include/cache/cache.h include/cache/dump.h

check_PROGRAMS += tests/unit/test_cache tests/unit/test_cut tests/unit/test_dump tests/unit/test_shard
tests_unit_test_cache_SOURCES = tests/unit/test_cache.c tests/unit/answers.h
tests_unit_test_cache_LDADD = $(cache_libs) $(CMOCKA_LIBS) -lm
tests_unit_test_cut_SOURCES = tests/unit/test_cut.c
tests_unit_test_cut_LDADD = $(cache_libs) $(CMOCKA_LIBS)
tests_unit_test_dump_SOURCES = tests/unit/test_dump.c tests/unit/answers.h
tests_unit_test_dump_LDADD = $(cache_libs) $(CMOCKA_LIBS) -lm
tests_unit_test_shard_SOURCES = tests/unit/test_shard.c tests/unit/answers.h
tests_unit_test_shard_LDADD = $(cache_libs) $(CMOCKA_LIBS)
