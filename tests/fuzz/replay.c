/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over files instead of a fuzzer's inputs: the files given as arguments, or the corpus in
 * tests/fuzz/corpus/TARGET. The last file printed is the one being run. A target that sets fuzz_random_ms then gets random
 * inputs for that time; a failure prints how to repeat it. */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <time.h>

#include "fuzz.h"
#include "tests/unit/seeds.h"

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

/* --- random inputs --- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void run_random(unsigned each)
{
    uint8_t input[400];
    random_state = seed = each;
    const size_t size = below(sizeof input + 1);
    for (size_t i = 0; i < size; i++)
        input[i] = (uint8_t)below(256);
    uint8_t *copy = exact_copy(input, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* With SEED in the environment only that input is run. */
static void run_random_inputs(unsigned ms)
{
    const unsigned repeated = number_of("SEED", 0), first = repeated ? repeated : 1 + random_below(1000000000);
    const uint64_t until_ms = now_ms() + ms;
    unsigned next = first;
    signal(SIGABRT, tell_seed);
    do
        run_random(next++);
    while (!repeated && now_ms() < until_ms);
    printf("%u random inputs from SEED=%u on\n", next - first, first);
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
    if (!replay_folder(folder))
        return 1;
    if (&fuzz_random_ms)
        run_random_inputs(fuzz_random_ms);
    return 0;
}
