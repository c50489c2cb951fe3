noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = src/base/addr.c src/base/bytes.c src/base/clock.c src/base/counters.c src/base/errors.c \
  src/base/hash.c src/base/list.c src/base/log.c src/base/mem.c src/base/slab.c src/base/table.c
noinst_HEADERS += include/base/addr.h include/base/bytes.h include/base/check.h include/base/clock.h include/base/counters.h \
  include/base/errors.h include/base/hash.h include/base/list.h include/base/log.h include/base/mem.h \
  include/base/slab.h include/base/table.h
