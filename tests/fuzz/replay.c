/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files instead of a fuzzer's inputs: the files given as arguments, or the corpus in
 * tests/fuzz/corpus/TARGET. The last file printed is the one being run. */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static bool replay_file(const char *path)
{
    static uint8_t input[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return false;
    }
    size_t size = fread(input, 1, sizeof(input), file);
    bool whole = !ferror(file) && size < sizeof(input);
    fclose(file);
    if (!whole) {
        fprintf(stderr, "%s: not readable, or larger than %u bytes\n", path, INPUT_MAX - 1);
        return false;
    }
    puts(path);
    fflush(stdout);
    uint8_t *copy = exact_copy(input, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return true;
}

/* An empty folder is an error, since it would test nothing. */
static bool replay_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries) {
        perror(folder);
        return false;
    }
    unsigned files = 0;
    bool good = true;
    for (struct dirent *entry; good && (entry = readdir(entries));) {
        char path[2 * PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        good = replay_file(path);
        files++;
    }
    closedir(entries);
    if (!files)
        fprintf(stderr, "%s: no files\n", folder);
    return good && files;
}

int main(int argc, char **argv)
{
    char folder[PATH_MAX];
    for (int i = 1; i < argc; i++) {
        if (!replay_file(argv[i]))
            return 1;
    }
    if (argc > 1)
        return 0;
    snprintf(folder, sizeof(folder), "%s/fuzz/corpus/%s", TEST_DATA, basename(argv[0]));
    return replay_folder(folder) ? 0 : 1;
}
