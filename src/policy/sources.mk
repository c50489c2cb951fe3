noinst_LIBRARIES += libpolicy.a
libpolicy_a_SOURCES = src/policy/local.c src/policy/local.h src/policy/refuse.c src/policy/special.c
noinst_HEADERS += include/policy/steps.h
