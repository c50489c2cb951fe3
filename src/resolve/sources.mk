noinst_LIBRARIES += libresolve.a
libresolve_a_SOURCES = src/resolve/lookup.c src/resolve/lookup.h src/resolve/query.c src/resolve/refresh.c src/resolve/refresh.h src/resolve/resolver.c \
  src/resolve/step_cache.c src/resolve/step_lookup.c
noinst_HEADERS += include/resolve/context.h include/resolve/query.h include/resolve/resolver.h
