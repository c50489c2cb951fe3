noinst_LIBRARIES += libcache.a
libcache_a_SOURCES = src/cache/cache.c src/cache/shard.c src/cache/shard.h
noinst_HEADERS += include/cache/cache.h
