# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libdaemon.a
libdaemon_a_SOURCES = src/daemon/addresses.c src/daemon/addresses.h src/daemon/listening.c src/daemon/listening.h \
  src/daemon/cachefile.c src/daemon/cachefile.h src/daemon/daemon.c src/daemon/daemon.h src/daemon/descriptors.c src/daemon/descriptors.h src/daemon/drain.c src/daemon/drain.h src/daemon/exits.h src/daemon/fleet.c src/daemon/fleet.h src/daemon/forwarding.c src/daemon/forwarding.h src/daemon/forwarding_change.c src/daemon/forwarding_change.h src/daemon/handover.c src/daemon/handover.h src/daemon/identity.c src/daemon/identity.h src/daemon/interfaces.c src/daemon/interfaces.h src/daemon/inherited.c src/daemon/inherited.h src/daemon/saved_state.c src/daemon/saved_state.h src/daemon/wholefile.h \
  src/daemon/bootstrap.c src/daemon/bootstrap.h src/daemon/host_state.c src/daemon/host_state.h src/daemon/hostfile.c src/daemon/hostfile.h \
  src/daemon/landlock.c src/daemon/landlock.h src/daemon/manager.c src/daemon/manager.h src/daemon/logging.c src/daemon/logging.h \
  src/daemon/private_dir.c src/daemon/private_dir.h src/daemon/negativefile.c src/daemon/negativefile.h src/daemon/privileges.c src/daemon/privileges.h src/daemon/reload.c src/daemon/reload.h src/daemon/routing.c src/daemon/routing.h src/daemon/sandbox.c src/daemon/sandbox.h src/daemon/sockets.c src/daemon/sockets.h src/daemon/steps.c src/daemon/steps.h \
  src/daemon/step_files.c src/daemon/step_files.h src/daemon/syscalls.c src/daemon/syscalls.h src/daemon/filters.h \
        src/daemon/routefile.c src/daemon/routefile.h \
  src/daemon/tapping.c src/daemon/tapping.h \
  src/daemon/takeover.c src/daemon/takeover.h src/daemon/ticketfile.c src/daemon/ticketfile.h src/daemon/tracker.c src/daemon/tracker.h src/daemon/trackerfile.c src/daemon/trackerfile.h src/daemon/trusts.c src/daemon/trusts.h src/daemon/watchdog.c src/daemon/watchdog.h src/daemon/watching.c src/daemon/watching.h src/daemon/worker.c src/daemon/worker.h
nodist_libdaemon_a_SOURCES = src/daemon/filters.c
CLEANFILES += src/daemon/filters.c src/daemon/filters.c.tmp

# For the processor that dotstub runs on, so a cross build needs an emulator: `make RUN_HOST=qemu-aarch64-static`.
noinst_PROGRAMS += src/daemon/write_filters
src_daemon_write_filters_SOURCES = src/daemon/write_filters.c src/daemon/filters.h
src_daemon_write_filters_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
src_daemon_write_filters_LDADD = $(SECCOMP_LIBS)
RUN_HOST =
src/daemon/filters.c: src/daemon/write_filters$(EXEEXT)
	$(AM_V_GEN)$(RUN_HOST) ./src/daemon/write_filters$(EXEEXT) >$@.tmp && mv $@.tmp $@

sbin_PROGRAMS += dotstub
dotstub_SOURCES = src/daemon/main.c src/base/reserve.c
dotstub_LDADD = $(daemon_libs)

check_PROGRAMS += tests/unit/test_cachefile
tests_unit_test_cachefile_SOURCES = tests/unit/test_cachefile.c tests/unit/answers.h
tests_unit_test_cachefile_LDADD = $(daemon_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_routefile
tests_unit_test_routefile_SOURCES = tests/unit/test_routefile.c tests/unit/loading.h
tests_unit_test_routefile_LDADD = $(daemon_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_host_state
tests_unit_test_host_state_SOURCES = tests/unit/test_host_state.c
tests_unit_test_host_state_LDADD = $(daemon_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_sockets
tests_unit_test_sockets_SOURCES = tests/unit/test_sockets.c
tests_unit_test_sockets_LDADD = $(daemon_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_sandbox
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c
tests_unit_test_sandbox_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
tests_unit_test_sandbox_LDADD = $(daemon_libs) $(SECCOMP_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_watching
tests_unit_test_watching_SOURCES = tests/unit/test_watching.c
tests_unit_test_watching_LDADD = $(daemon_libs) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_trackerfile
tests_unit_test_trackerfile_SOURCES = tests/unit/test_trackerfile.c tests/unit/root_signer.h tests/unit/signer.h
tests_unit_test_trackerfile_LDADD = $(daemon_libs) $(CMOCKA_LIBS)
