noinst_LIBRARIES += libcache.a
libcache_a_SOURCES = src/cache/cache.c src/cache/entry.c src/cache/entry.h src/cache/ring.c \
  src/cache/ring.h src/cache/shard.c src/cache/shard.h
noinst_HEADERS += include/cache/cache.h
