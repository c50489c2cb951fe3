/* SPDX-License-Identifier: MIT */
/* certificate: makes a certification authority and a certificate for listen-tls and listen-https, or says how to use a
 * public one. An authority that is there is used again, so that devices need not install another one. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/errors.h"
#include "base/file.h"
#include "base/io.h"
#include "base/mem.h"
#include "command.h"
#include "dns/name.h"
#include "net/tls_make.h"

#define DAEMON_GROUP      "dotstub"
#define DEFAULT_DIRECTORY SYSCONFDIR "/dotstub/tls"

enum { PEM_MAX = 65536, ADDRESSES = 16, MODE_SECRET = 0640, MODE_PUBLIC = 0644, MODE_OWN = 0600 };

static int failed(const char *what, const char *path, int error)
{
    fprintf(stderr, "dotstubctl: cannot %s %s: %s\n", what, path, error_text(error));
    return error == -EACCES || error == -EPERM ? EXIT_NO_PERMISSION : EXIT_OTHER;
}

static int usage(const char *sentence, const char *word)
{
    fprintf(stderr, "dotstubctl: %s%s\n", word, sentence);
    return EXIT_USAGE;
}

/* --- files --- */

static const char *path_in(char out[PATH_MAX], const char *directory, const char *name)
{
    snprintf(out, PATH_MAX, "%s/%s", directory, name);
    return out;
}

/* *out: mem_free. 0 or a negative errno. */
static int read_text(char **out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    char *text = mem_zalloc(1, PEM_MAX + 1);
    ssize_t len = text ? read_to_end(fd, (uint8_t *)text, PEM_MAX) : -ENOMEM;
    close(fd);
    if (len < 0) {
        mem_free(text);
        return (int)len;
    }
    *out = text;
    return 0;
}

/* A new directory gets the group of the daemon's user, if there is one. */
static int make_directory(const char *directory)
{
    const struct group *group = getgrnam(DAEMON_GROUP);
    if (mkdir(directory, 0750) < 0)
        return errno == EEXIST ? EXIT_OK : failed("make", directory, -errno);
    if (group && geteuid() == 0 && chown(directory, 0, group->gr_gid) < 0)
        return failed("change the group of", directory, -errno);
    return EXIT_OK;
}

/* The files belong to the group of the directory, in which the daemon's user is. */
static int write_text(const char *directory, const char *name, const char *text, mode_t mode)
{
    char path[PATH_MAX];
    struct stat status;
    int error = file_replace(path_in(path, directory, name), text, strlen(text), mode, true);
    if (error == 0 && stat(directory, &status) == 0 && mode != MODE_OWN && lchown(path, (uid_t)-1, status.st_gid) < 0)
        error = -errno;
    return error < 0 ? failed("write", path, error) : EXIT_OK;
}

/* --- the authority --- */

static int make_authority(struct tls_pair *authority, const char *directory, const struct tls_subject *subject)
{
    int error = tls_make_authority(authority, subject);
    if (error < 0)
        return failed("make", "a certification authority", error);
    int status = write_text(directory, "ca.key", authority->key, MODE_OWN);
    return status == EXIT_OK ? write_text(directory, "ca.crt", authority->certificate, MODE_PUBLIC) : status;
}

/* *made: there was none yet. */
static int find_authority(struct tls_pair *authority, bool *made, const char *directory,
                          const struct tls_subject *subject)
{
    char path[PATH_MAX];
    int error = read_text(&authority->certificate, path_in(path, directory, "ca.crt"));
    *made = error == -ENOENT;
    if (*made)
        return make_authority(authority, directory, subject);
    if (error == 0)
        error = read_text(&authority->key, path_in(path, directory, "ca.key"));
    return error < 0 ? failed("read", path, error) : EXIT_OK;
}

/* --- the texts --- */

static void say_files(const char *directory, const struct tls_subject *subject, bool made)
{
    char text[ADDR_TEXT];
    printf("%s %s/ca.crt, a certification authority for %s alone", made ? "made" : "used", directory, subject->name);
    for (size_t i = 0; i < subject->address_count; i++)
        printf("%s%s", i ? ", " : " and ", addr_format(&subject->addresses[i], false, text));
    printf("\nmade %s/fullchain.pem and privkey.pem, valid for %d days; run this again to renew them: dotstub loads "
           "changed files by itself\n",
           directory, TLS_MADE_DAYS);
    if (made)
        printf("keep %s/ca.key off this machine if you can; it is needed only to renew\n", directory);
}

static void say_configuration(const char *directory, const struct tls_subject *subject)
{
    char text[ADDR_TEXT];
    printf("\nIn the configuration, with the clients in access.allow:\n\n"
           "listen-tls: [0.0.0.0, \"::\"]\n"
           "tls-server:\n"
           "  certificate: %s/fullchain.pem\n"
           "  key: %s/privkey.pem\n",
           directory, directory);
    if (subject->address_count > 0) {
        printf("hosts:\n  entries: [{name: %s, addresses: [", subject->name);
        for (size_t i = 0; i < subject->address_count; i++)
            printf("%s\"%s\"", i ? ", " : "", addr_format(&subject->addresses[i], false, text));
        printf("]}]\n");
    }
    printf("\nThen restart dotstub, and see `dotstubctl profile` for each device.\n");
}

static int say_public(const char *name)
{
    printf("A public certificate needs a name that you own, %s, and no device has to install anything.\n\n"
           "1. Get it with certbot, by DNS if port 80 cannot be reached from the Internet:\n"
           "   certbot certonly --preferred-challenges dns -d %s\n"
           "2. Have it copied at each renewal; dotstub loads changed files by itself:\n\n"
           "cat > /etc/letsencrypt/renewal-hooks/deploy/dotstub <<'HOOK'\n"
           "#!/bin/sh\n"
           "set -e\n"
           "install -d -m 0750 -o root -g dotstub " DEFAULT_DIRECTORY "\n"
           "for file in fullchain privkey; do\n"
           "    install -m 0640 -o root -g dotstub \"$RENEWED_LINEAGE/$file.pem\" \"" DEFAULT_DIRECTORY
           "/$file.pem.new\"\n"
           "    mv \"" DEFAULT_DIRECTORY "/$file.pem.new\" \"" DEFAULT_DIRECTORY "/$file.pem\"\n"
           "done\n"
           "HOOK\n"
           "chmod 755 /etc/letsencrypt/renewal-hooks/deploy/dotstub\n"
           "RENEWED_LINEAGE=/etc/letsencrypt/live/%s /etc/letsencrypt/renewal-hooks/deploy/dotstub\n\n"
           "3. Let %s resolve to this machine's address in the local network.\n",
           name, name, name, name);
    say_configuration(DEFAULT_DIRECTORY, &(struct tls_subject){.name = name});
    return EXIT_OK;
}

/* --- the command --- */

static bool is_host_name(const char *name)
{
    uint8_t wire[NAME_MAX_WIRE];
    size_t len = strlen(name);
    return strchr(name, '.') && name[0] != '.' && name[len - 1] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len && name_from_text(wire, name) > 0;
}

static int make(const char *directory, const struct tls_subject *subject)
{
    struct tls_pair authority = {NULL, NULL}, own = {NULL, NULL};
    bool made = false;
    int status = make_directory(directory);
    if (status == EXIT_OK)
        status = find_authority(&authority, &made, directory, subject);
    int error = status == EXIT_OK ? tls_make_certificate(&own, &authority, subject) : 0;
    if (error == -EKEYREJECTED)
        status = usage(": its authority is limited to other names or addresses; name another directory", directory);
    else if (error < 0)
        status = failed("use the authority in", directory, error);
    if (status == EXIT_OK) /* the daemon waits for the second file when the first has changed */
        status = write_text(directory, "privkey.pem", own.key, MODE_SECRET);
    if (status == EXIT_OK)
        status = write_text(directory, "fullchain.pem", own.certificate, MODE_PUBLIC);
    if (status == EXIT_OK) {
        say_files(directory, subject, made);
        say_configuration(directory, subject);
    }
    tls_pair_free(&authority);
    tls_pair_free(&own);
    return status;
}

int certificate_run(const struct options *options, const struct command *command, char **arguments, int count)
{
    struct addr addresses[ADDRESSES];
    struct tls_subject subject = {.name = arguments[0], .addresses = addresses};
    const char *directory = options->value[OWN_DIRECTORY];
    (void)command;
    if (!is_host_name(subject.name))
        return usage(" is not a host name in lower case with a dot, as dns.home.arpa", subject.name);
    if (options->given & OWN(OWN_PUBLIC))
        return count == 1 ? say_public(subject.name) : usage("--public takes the name alone", "");
    for (int i = 1; i < count; i++) {
        if (subject.address_count == ADDRESSES)
            return usage("too many addresses", "");
        if (addr_parse(&addresses[subject.address_count], arguments[i], 0) < 0 ||
            addr_port(&addresses[subject.address_count]) != 0 || addr_interface(&addresses[subject.address_count]))
            return usage(" is not an address, as 192.168.1.2", arguments[i]);
        subject.address_count++;
    }
    return make(directory ? directory : DEFAULT_DIRECTORY, &subject);
}
