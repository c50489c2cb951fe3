noinst_LIBRARIES += libdaemon.a
libdaemon_a_SOURCES =
sbin_PROGRAMS += dotstub
dotstub_SOURCES = src/daemon/main.c
dotstub_LDADD = $(daemon_libs)
