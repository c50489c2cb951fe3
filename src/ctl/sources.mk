# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = src/ctl/bypass.c src/ctl/bypass.h src/ctl/client.c src/ctl/client.h src/ctl/show.c src/ctl/show.h src/ctl/show_explain.c src/ctl/show_forward.c src/ctl/show_status.c src/ctl/table.c src/ctl/table.h \
  src/ctl/show_block.c \
  src/ctl/change.c src/ctl/change.h src/ctl/plan.c src/ctl/plan.h src/ctl/presence.c src/ctl/presence.h src/ctl/probe.c src/ctl/probe.h \
  src/ctl/resolv.c src/ctl/resolv.h src/ctl/keep_local.c src/ctl/keep_local.h src/ctl/lease.c src/ctl/lease.h
bin_PROGRAMS += dotstubctl
dotstubctl_SOURCES = src/ctl/main.c src/ctl/anchors.c src/ctl/anchors.h src/ctl/ask.c src/ctl/certificate.c src/ctl/check.c src/ctl/command.h src/ctl/profile.c src/ctl/dial.c src/ctl/dial.h src/ctl/dnssec.c src/ctl/negative.c src/ctl/negative.h src/ctl/forward.c src/ctl/portal.c src/ctl/help.c \
  src/ctl/pin.c src/ctl/programs.c src/ctl/locate.c src/ctl/locate.h \
  src/ctl/successor.c src/ctl/successor.h src/ctl/system.c src/ctl/upgrade.c \
  src/ctl/doctor.c src/ctl/doctor.h src/ctl/doctor_bundle.c src/ctl/doctor_config.c src/ctl/doctor_hosts.c \
  src/ctl/doctor_local.c src/ctl/doctor_programs.c src/ctl/doctor_servers.c src/ctl/watch.c
dotstubctl_SOURCES += src/ctl/block.c src/ctl/blockfetch.c src/ctl/blockfetch.h
dotstubctl_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS)
dotstubctl_LDADD = libpolicy.a $(ctl_libs) $(CURL_LIBS)
dist_man_MANS += docs/man/dotstubctl.8

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = packaging/completions/bash/dotstubctl
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = packaging/completions/zsh/_dotstubctl
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_fishcompletion_DATA = packaging/completions/fish/dotstubctl.fish

check_PROGRAMS += tests/unit/test_lease tests/unit/test_keep_local tests/unit/test_client tests/unit/test_show
tests_unit_test_client_SOURCES = tests/unit/test_client.c
tests_unit_test_client_LDADD = $(ctl_libs) $(CMOCKA_LIBS)
tests_unit_test_keep_local_SOURCES = tests/unit/test_keep_local.c tests/unit/loading.h
tests_unit_test_keep_local_LDADD = $(ctl_libs) $(CMOCKA_LIBS)
tests_unit_test_lease_SOURCES = tests/unit/test_lease.c
tests_unit_test_lease_LDADD = $(ctl_libs) $(CMOCKA_LIBS)
tests_unit_test_show_SOURCES = tests/unit/test_show.c
tests_unit_test_show_LDADD = $(ctl_libs) $(CMOCKA_LIBS)

fuzz_targets += tests/fuzz/fuzz_show
tests_fuzz_fuzz_show_SOURCES = tests/fuzz/fuzz_show.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_show_LDADD = $(ctl_libs)
tests_fuzz_fuzz_show_LDFLAGS = $(fuzz_ldflags)
