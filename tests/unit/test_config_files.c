/* SPDX-License-Identifier: MIT */
/* Files, drop-ins, and the limits of the machine. */
#include "loading.h"

/* -- The machine -- */

static void workers_auto_takes_the_processors_16_at_most(void **state)
{
    (void)state;
    struct machine machine = large;
    struct result r = load_on(&machine, "workers: auto\n", NULL);
    assert_int_equal(r.config->workers, 4);
    end(&r);
    machine.processors = 96;
    r = load_on(&machine, "workers: auto\n", NULL);
    assert_int_equal(r.config->workers, 16);
    end(&r);
}

static void the_cache_takes_a_quarter_of_the_memory_at_most(void **state)
{
    (void)state;
    struct machine machine = {.processors = 1, .memory = 128 << 20};
    struct result r = load_on(&machine, "log: {level: error}\n", NULL);
    assert_int_equal(r.config->cache.size, 32 << 20);
    end(&r);
    r = load_on(&machine, "log: {level: error}\ncache: {size: 16MiB}\n", NULL);
    assert_int_equal(r.config->cache.size, 16 << 20);
    end(&r);
    machine.memory = 1000;
    r = load_on(&machine, "log: {level: error}\n", NULL);
    assert_int_equal(r.config->cache.size, 1 << 20);
    end(&r);
}

/* Captures the log (standard error). */
static char *logged_while_loading(const struct machine *machine, const char *text)
{
    char *said = calloc(1, 4096);
    int kept = dup(STDERR_FILENO), pipe_ends[2];
    assert_non_null(said);
    assert_int_equal(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
    struct result r = load_on(machine, text, NULL);
    dup2(kept, STDERR_FILENO);
    close(pipe_ends[1]);
    assert_true(read(pipe_ends[0], said, 4095) >= 0);
    close(pipe_ends[0]);
    close(kept);
    assert_int_equal(r.error, 0);
    end(&r);
    return said;
}

static void a_smaller_cache_is_one_line_of_information(void **state)
{
    (void)state;
    struct machine machine = {.processors = 1, .memory = 128 << 20};
    char *said = logged_while_loading(&machine, "");
    assert_non_null(strstr(said, "cache.size is 32MiB instead of 64MiB"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    free(said);
    said = logged_while_loading(&machine, "log: {level: warning}\n");
    assert_string_equal(said, "");
    free(said);
    said = logged_while_loading(&large, "");
    assert_string_equal(said, "");
    free(said);
}

static void read_machine(struct machine *machine)
{
    assert_int_equal(machine_read(machine, directory), 0);
}

static void cgroup_limits_count_up_the_tree(void **state)
{
    (void)state;
    put("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n41 31 0:41 / "
                               "/sys/fs/cgroup/u rw - cgroup2 cgroup2 rw\n");
    put("proc/self/cgroup", "4:memory:/x\n0::/a/b\n");
    put("sys/fs/cgroup/u/a/b/memory.max", "max\n");
    put("sys/fs/cgroup/u/a/b/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/u/a/memory.max", "104857600\n");
    put("sys/fs/cgroup/u/memory.max", "209715200\n");
    struct machine machine;
    read_machine(&machine);
    assert_int_equal(machine.memory, 100 << 20);
    unsigned all = machine.processors;
    assert_true(all >= 1);

    put("sys/fs/cgroup/u/a/cpu.max", "50000 100000\n"); /* half a processor is one worker */
    read_machine(&machine);
    assert_int_equal(machine.processors, 1);
    put("sys/fs/cgroup/u/a/cpu.max", "0 100000\n");
    read_machine(&machine);
    assert_int_equal(machine.processors, 1);
    put("sys/fs/cgroup/u/a/cpu.max", "150000 100000\n");
    read_machine(&machine);
    assert_int_equal(machine.processors, all < 2 ? all : 2);
}

/* Docker on a machine without version 2: each controller is mounted by itself, the container's part as the root. */
static void limits_of_cgroup_version_1_count(void **state)
{
    (void)state;
    put("proc/self/mountinfo", "35 25 0:30 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                               "36 25 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    put("proc/self/cgroup", "11:memory:/docker/x/sub\n4:cpu,cpuacct:/group\n2:cpuset:/other\n");
    put("sys/fs/cgroup/memory/sub/memory.limit_in_bytes", "9223372036854771712\n"); /* no limit */
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n");
    put("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_period_us", "100000\n");
    struct machine machine;
    read_machine(&machine);
    assert_int_equal(machine.memory, 100 << 20);
    unsigned all = machine.processors;
    put("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_quota_us", "50000\n");
    read_machine(&machine);
    assert_int_equal(machine.processors, 1);
    put("sys/fs/cgroup/cpu,cpuacct/group/cpu.cfs_quota_us", "150000\n");
    read_machine(&machine);
    assert_int_equal(machine.processors, all < 2 ? all : 2);
}

/* systemd's hybrid layout: version 2 is mounted without controllers, the limits are those of version 1. */
static void limits_of_a_hybrid_machine_count(void **state)
{
    (void)state;
    put("proc/self/mountinfo", "33 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
                               "35 25 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
    put("proc/self/cgroup", "8:memory:/system.slice/dotstub.service\n0::/system.slice/dotstub.service\n");
    put("sys/fs/cgroup/unified/system.slice/dotstub.service/memory.max", "209715200\n");
    struct machine machine;
    read_machine(&machine);
    assert_int_equal(machine.memory, 200 << 20);
    put("sys/fs/cgroup/memory/system.slice/memory.limit_in_bytes", "52428800\n");
    read_machine(&machine);
    assert_int_equal(machine.memory, 50 << 20);
}

/* A node of a cluster has thousands of mounts. */
static void a_cgroup_behind_many_mounts_is_found(void **state)
{
    (void)state;
    enum { MOUNTS = 4000 };
    static const char mount[] = "99 31 0:99 / /var/lib/pod/volume rw - tmpfs tmpfs rw\n",
                      last[] = "41 31 0:41 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    char *text = test_calloc(1, MOUNTS * (sizeof mount - 1) + sizeof last);
    for (size_t i = 0; i < MOUNTS; i++)
        memcpy(text + i * (sizeof mount - 1), mount, sizeof mount - 1);
    strcat(text, last);
    put("proc/self/mountinfo", text);
    test_free(text);
    put("proc/self/cgroup", "0::/pod\n");
    put("sys/fs/cgroup/pod/memory.max", "3145728\n");
    struct machine machine;
    read_machine(&machine);
    assert_int_equal(machine.memory, 3 << 20);
}

static void a_cgroup_that_is_the_root_of_its_mount_is_found(void **state)
{
    (void)state;
    put("proc/self/mountinfo", "41 31 0:41 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("proc/self/cgroup", "0::/docker/x\n");
    put("sys/fs/cgroup/memory.max", "1048576\n");
    struct machine machine;
    read_machine(&machine);
    assert_int_equal(machine.memory, 1 << 20);
}

static void without_cgroups_the_machine_is_the_limit(void **state)
{
    (void)state;
    struct machine machine;
    read_machine(&machine);
    assert_true(machine.memory > 1 << 20);
    assert_true(machine.processors >= 1);
    put("proc/self/mountinfo", "rubbish\n - cgroup2 \n41 31 0:41 / - cgroup2 x\n");
    put("proc/self/cgroup", "rubbish\n");
    read_machine(&machine);
    assert_true(machine.memory > 1 << 20);
}

/* -- Files -- */

static void file_refused(const char *sentence)
{
    char path[256], said[400];
    snprintf(path, sizeof(path), "%s", path_of("dotstub.yaml"));
    snprintf(said, sizeof(said), "%s%s\n", path, sentence);
    struct result r = load_file(path);
    assert_string_equal(r.said, said);
    assert_int_equal(r.error, ERROR_CONFIG);
    end(&r);
}

static void drop_ins_add_to_the_file_in_the_order_of_their_names(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [127.0.0.1]\nworkers: 2\nupstreams:\n"
                        "- {name: a, tls-name: a.example, addresses: [192.0.2.1], max-qps: 5}\n");
    put("conf.d/20-b.yaml", "workers: 4\nupstreams:\n"
                            "- {name: a, addresses: [192.0.2.3], max-qps: 6, port: 8853}\n");
    put("conf.d/10-a.yaml", "workers: 3\nlisten: [127.0.0.2]\nupstreams:\n"
                            "- {name: b, tls-name: b.example, addresses: [192.0.2.2]}\n");
    put("conf.d/30-c.yaml.off", "limits: {udp-size: 999}\n");
    put("conf.d/.hidden.yaml", "limits: {udp-size: 999}\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->workers, 4);
    assert_int_equal(r.config->limits.udp_size, 1232);
    assert_int_equal(r.config->listen_count, 2);
    same_addr(&r.config->listen[0], "127.0.0.1@53");
    same_addr(&r.config->listen[1], "127.0.0.2@53");
    assert_int_equal(r.config->upstream_count, 2);
    const struct config_upstream *a = &r.config->upstreams[0], *b = &r.config->upstreams[1];
    assert_string_equal(a->name, "a");
    assert_string_equal(a->tls_name, "a.example");
    assert_int_equal(a->max_qps, 6);
    assert_int_equal(a->address_count, 2);
    same_addr(&a->addresses[0], "192.0.2.1@8853");
    same_addr(&a->addresses[1], "192.0.2.3@8853");
    assert_string_equal(b->name, "b");
    end(&r);
}

static void a_list_in_a_drop_in_replaces_the_default(void **state)
{
    (void)state;
    put("dotstub.yaml", "workers: 2\n");
    put("conf.d/a.yaml",
        "listen: [127.0.0.2]\nupstreams: [{name: google, tls-name: x.example, addresses: [192.0.2.1]}]\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->listen_count, 1);
    assert_int_equal(r.config->upstream_count, 1);
    assert_int_equal(r.config->upstreams[0].address_count, 1);
    assert_int_equal(r.config->upstreams[0].max_qps, 0);
    end(&r);
}

static void an_empty_list_in_a_drop_in_resets(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [127.0.0.1]\nupstreams: [{name: a, tls-name: a.example, addresses: [192.0.2.1]}]\n");
    put("conf.d/a.yaml", "listen: []\nupstreams: []\n");
    put("conf.d/b.yaml", "listen: [127.0.0.2]\nupstreams: [{name: b, tls-name: b.example, addresses: [192.0.2.2]}]\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->listen_count, 1);
    same_addr(&r.config->listen[0], "127.0.0.2@53");
    assert_int_equal(r.config->upstream_count, 1);
    assert_string_equal(r.config->upstreams[0].name, "b");
    end(&r);
}

static void a_mistake_in_a_drop_in_names_it(void **state)
{
    (void)state;
    char said[400];
    put("dotstub.yaml", "");
    put("conf.d/a.yaml", "workers: x\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    snprintf(said, sizeof(said), "%s:1:10: workers: \"x\" is not a whole number or auto\nworkers: x\n         ^\n",
             path_of("conf.d/a.yaml"));
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_string_equal(r.said, said);
    end(&r);
}

static void an_unreadable_file_is_the_only_mistake_reported(void **state)
{
    (void)state;
    put("dotstub.yaml", "listen: [0.0.0.0]\n");
    put("conf.d/a.yaml", "access: {allow: [10.0.0.0/8]\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "conf.d/a.yaml:1:9: this bracket"));
    assert_null(strstr(r.said, "access.allow"));
    end(&r);
}

static void files_that_cannot_be_one_are_refused(void **state)
{
    (void)state;
    file_refused(": cannot be read: No such file or directory");
    mkdir(path_of("dotstub.yaml"), 0700);
    file_refused(": is a directory, not a file");
    rmdir(path_of("dotstub.yaml"));
    assert_int_equal(mkfifo(path_of("dotstub.yaml"), 0600), 0);
    file_refused(": is not a regular file");
    unlink(path_of("dotstub.yaml"));

    char *large_text = malloc(1024 * 1024 + 2);
    assert_non_null(large_text);
    memset(large_text, '#', 1024 * 1024 + 1);
    large_text[1024 * 1024 + 1] = '\0';
    put("dotstub.yaml", large_text);
    file_refused(": is larger than 1 MiB");
    large_text[1024 * 1024] = '\0';
    put("dotstub.yaml", large_text);
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_int_equal(r.error, 0);
    end(&r);
    free(large_text);

    assert_int_equal(symlink("/dev/zero", path_of("zero")), 0);
    r = load_file(path_of("zero"));
    assert_int_equal(r.error, ERROR_CONFIG);
    end(&r);
    r = load_file("/dev/null");
    assert_int_equal(r.error, 0);
    end(&r);
}

static void a_directory_full_of_drop_ins_is_refused(void **state)
{
    (void)state;
    put("dotstub.yaml", "");
    for (int i = 0; i < 257; i++) {
        char name[32];
        snprintf(name, sizeof(name), "conf.d/%d.yaml", i);
        put(name, "");
    }
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_int_equal(r.error, ERROR_CONFIG);
    assert_non_null(strstr(r.said, "conf.d: holds more than 256 drop-ins"));
    end(&r);
}

static void files_that_are_not_read_are_named(void **state)
{
    (void)state;
    static const char *const unread[] = {"conf.d/.b.yaml", "conf.d/UPSTREAM.YAML", "conf.d/a.conf",
                                         "conf.d/b.yml",   "conf.d/c.yaml.bak",    "dotstub.yml"};
    static const char *const ignored[] = {"conf.d/README",      "conf.d/a.yaml~",        "conf.d/a.yaml.dpkg-old",
                                          "conf.d/b.dpkg-dist", "conf.d/directory/file", "other.yml"};
    put("dotstub.yaml", "");
    put("conf.d/a.yaml", "");
    for (size_t i = 0; i < sizeof(unread) / sizeof(*unread); i++)
        put(unread[i], "workers: 3\n");
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        put(ignored[i], "workers: 3\n");
    struct result r = load_file(path_of("dotstub.yaml"));
    assert_string_equal(r.said, "");
    assert_int_equal(r.config->workers, 1);
    assert_int_equal(r.config->notice_count, sizeof(unread) / sizeof(*unread));
    for (size_t i = 0; i < r.config->notice_count; i++) {
        const char *path = path_of(unread[i]);
        assert_memory_equal(r.config->notices[i], path, strlen(path));
        assert_memory_equal(r.config->notices[i] + strlen(path), " is not read: ", 14);
    }
    end(&r);
    r = load_file(path_of("dotstub.yml")); /* named by the operator: it is the file */
    assert_int_equal(r.config->notice_count, 5);
    end(&r);
}

/* -- Memory -- */

static void survive_each_failure(const char *path, char *const *variables)
{
    char *said;
    size_t len;
    for (unsigned long n = 1;; n++) {
        struct config *config = NULL;
        FILE *errors = open_memstream(&said, &len);
        mem_fail_at(n);
        int error = config_load(&config, path, variables, errors);
        bool failed = mem_asked() >= n;
        mem_fail_at(0);
        fclose(errors);
        free(said);
        if (failed)
            assert_int_equal(error, -ENOMEM);
        assert_true(!!config == !error);
        config_unref(config);
        if (!failed)
            break;
    }
}

static void each_failed_allocation_is_survived(void **state)
{
    (void)state;
    char path[256];
    put("dotstub.yaml", full);
    put("conf.d/a.yaml", "upstreams: [{name: one, addresses: [192.0.2.9]}]\nworkers: auto\n");
    snprintf(path, sizeof(path), "%s", path_of("dotstub.yaml"));
    survive_each_failure(path, VARIABLES("DOTSTUB_LISTEN=127.0.0.1,::1", "DOTSTUB_UPSTREAMS=a=192.0.2.1"));
    put("conf.d/b.yaml", "x: &a [*b, !t 1, \n");
    survive_each_failure(path, VARIABLES("DOTSTUB_X=1"));
}

/* A drop-in changes a preset: its lists replace the preset's. */
static void a_preset_is_changed_by_a_dropin(void **state)
{
    (void)state;
    put("dotstub.yaml", "upstreams: [quad9, google]\n");
    put("conf.d/a.yaml", "upstreams: [{name: google, role: backup, addresses: [192.0.2.1]}, quad9]\n");
    struct result r = {0};
    FILE *errors = open_memstream(&r.said, &r.said_len);
    assert_int_equal(config_load(&r.config, path_of("dotstub.yaml"), NULL, errors), 0);
    fclose(errors);
    assert_int_equal(r.config->upstream_count, 2);
    assert_int_equal(r.config->upstreams[0].address_count, 4);
    assert_int_equal(r.config->upstreams[1].role, ROLE_BACKUP);
    assert_int_equal(r.config->upstreams[1].address_count, 1);
    assert_string_equal(r.config->upstreams[1].tls_name, "dns.google");
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_preset_is_changed_by_a_dropin, make_directory, remove_directory),
        cmocka_unit_test(workers_auto_takes_the_processors_16_at_most),
        cmocka_unit_test(the_cache_takes_a_quarter_of_the_memory_at_most),
        cmocka_unit_test(a_smaller_cache_is_one_line_of_information),
        cmocka_unit_test_setup_teardown(cgroup_limits_count_up_the_tree, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_cgroup_behind_many_mounts_is_found, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_cgroup_that_is_the_root_of_its_mount_is_found, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(limits_of_cgroup_version_1_count, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(limits_of_a_hybrid_machine_count, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(without_cgroups_the_machine_is_the_limit, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(drop_ins_add_to_the_file_in_the_order_of_their_names, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(a_list_in_a_drop_in_replaces_the_default, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(an_empty_list_in_a_drop_in_resets, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_mistake_in_a_drop_in_names_it, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(an_unreadable_file_is_the_only_mistake_reported, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_one_are_refused, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_directory_full_of_drop_ins_is_refused, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(files_that_are_not_read_are_named, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(each_failed_allocation_is_survived, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
