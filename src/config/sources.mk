# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = src/config/added.c src/config/arena.c src/config/arena.h src/config/restart_only.c src/config/definition.c src/config/draft.c src/config/draft.h \
  src/config/environment.c src/config/environment.h src/config/file.c src/config/file.h src/config/files.c \
  src/config/foreign.c src/config/foreign.h src/config/prescan.c src/config/prescan.h src/config/load.c src/config/load.h \
  src/config/https.c src/config/json.c src/config/machine.c src/config/machine.h src/config/member.c src/config/member.h src/config/own.c src/config/own.h src/config/options.c \
  src/config/options.h src/config/options_items.c src/config/options_private.h src/config/options_upstream.c src/config/fill.c src/config/presets.c src/config/print.c src/config/reader.c src/config/reader.h src/config/report.c \
  src/config/report.h src/config/validate.c src/config/validate_block.c src/config/validate_records.c src/config/validate.h src/config/snapshot.c src/config/snapshot.h src/config/teams.c \
     src/config/validate_views.c src/config/validate_views.h \
     src/config/validate_private.h src/config/validate_host.c src/config/validate_listen.c src/config/validate_routes.c src/config/validate_upstreams.c \
     src/config/validate_answers.c src/config/validate_answers.h src/config/validate_proxy.c src/config/negative.c src/config/store.c \
  src/config/teams.h src/config/text.c \
  src/config/text.h src/config/value.c src/config/value.h src/config/yaml.c src/config/yaml.h
noinst_HEADERS += include/config/added.h include/config/config.h include/config/https.h include/config/json.h

check_PROGRAMS += tests/unit/test_added tests/unit/test_config tests/unit/test_config_files tests/unit/test_config_print \
  tests/unit/test_options tests/unit/test_yaml
tests_unit_test_added_SOURCES = tests/unit/test_added.c tests/unit/loading.h
tests_unit_test_added_LDADD = $(config_libs) $(CMOCKA_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c tests/unit/loading.h
tests_unit_test_config_LDADD = $(config_libs) $(CMOCKA_LIBS)
tests_unit_test_config_files_SOURCES = tests/unit/test_config_files.c tests/unit/loading.h
tests_unit_test_config_files_LDADD = $(config_libs) $(CMOCKA_LIBS)
tests_unit_test_config_print_SOURCES = tests/unit/test_config_print.c tests/unit/loading.h
tests_unit_test_config_print_LDADD = $(config_libs) $(CMOCKA_LIBS)
tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_LDADD = $(config_libs) $(CMOCKA_LIBS)
tests_unit_test_yaml_SOURCES = tests/unit/test_yaml.c
tests_unit_test_yaml_LDADD = $(config_libs) $(CMOCKA_LIBS)

fuzz_targets += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c tests/fuzz/fuzz.h $(fuzz_main)
tests_fuzz_fuzz_config_LDADD = $(config_libs)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)

dist_man_MANS += docs/man/dotstub.8 docs/man/dotstub.yaml.5

# An operator's own file is never written over.
EXTRA_DIST += conf/dotstub.yaml
dotstubconfdir = $(sysconfdir)/dotstub
install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(dotstubconfdir)/conf.d"
	test -e "$(DESTDIR)$(dotstubconfdir)/dotstub.yaml" || \
	  $(INSTALL_DATA) $(srcdir)/conf/dotstub.yaml "$(DESTDIR)$(dotstubconfdir)/dotstub.yaml"
uninstall-local:
	if cmp -s $(srcdir)/conf/dotstub.yaml "$(DESTDIR)$(dotstubconfdir)/dotstub.yaml"; then \
	  rm -f "$(DESTDIR)$(dotstubconfdir)/dotstub.yaml"; \
	fi
