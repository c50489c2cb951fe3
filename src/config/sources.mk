noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = src/config/config.c src/config/options.c src/config/options.h src/config/yaml.c src/config/yaml.h
noinst_HEADERS += include/config/config.h
