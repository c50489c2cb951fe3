noinst_LIBRARIES += libupstream.a
libupstream_a_SOURCES =
