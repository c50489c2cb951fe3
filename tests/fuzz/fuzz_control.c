/* SPDX-License-Identifier: MIT */
/* A connection to the control socket (the first byte is even) or to metrics.listen (odd) that sends any bytes. It gets one complete
 * HTTP response, JSON if its type says so, or none; an incomplete request waits for its timeout. The mailbox items of the workers come
 * back in any case. */
#include <fcntl.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "control/api.h"
#include "control/server.h"
#include "fuzz.h"
#include "tests/unit/fake_workers.h"

enum { TURNS_MOST = 200, ANSWER_MOST = 1 << 18 };

static struct view view;
static struct http_server *servers[2];
static struct sockaddr_un names[2];

static bool admits(void *context, int fd)
{
    (void)context;
    return fd >= 0;
}

static void handle_control(void *context, struct http_request *request)
{
    api_control(context, request);
}

static void handle_metrics(void *context, struct http_request *request)
{
    api_metrics(context, request);
}

static const struct http_ops ops[2] = {{admits, handle_control}, {admits, handle_metrics}};

/* In the abstract namespace, so that no file remains. */
static void serve(int which)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    names[which] = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(names[which].sun_path + 1, sizeof names[which].sun_path - 1, "dotstub-fuzz-%d-%d", (int)getpid(), which);
    MUST(bind(fd, (struct sockaddr *)&names[which], sizeof names[which]) == 0 && listen(fd, 8) == 0);
    MUST(http_server_open(&servers[which], &fake.loop, fd, &ops[which], &view, 8) == 0);
}

static void begin(void)
{
    hash_init_fixed((const uint8_t *)"0123456789abcdef");
    struct control_setup setup = fake_begin();
    clock_real();
    static char workers[] = "DOTSTUB_WORKERS=2",
                upstreams[] = "DOTSTUB_UPSTREAMS=first=192.0.2.1+192.0.2.2,second=192.0.2.3";
    static char *const settings[] = {workers, upstreams, NULL};
    MUST(config_load(&setup.config, "/dev/null", settings, stderr) == 0); /* the configuration of fake_workers */
    setup.cache = cache_new(0);
    view = (struct view){.config = setup.config,
                         .routes = setup.routes,
                         .cache = setup.cache,
                         .ops = &fake_ops,
                         .context = &fake,
                         .listening = fake.addrs,
                         .listening_count = 1,
                         .readiness = READY_YES};
    log_set_level(LOG_LEVEL_ERROR);
    tracer_init(&view.tracer, &setup);
    MUST(view.cache && gather_init(&view.gather, &setup) == 0);
    serve(0);
    serve(1);
}

/* The part of the workers, without delay. */
static void work(void)
{
    fake_turn();
    for (unsigned w = 0; w < WORKERS; w++)
        if (fake.item[w])
            fake_open(w);
    if (fake_traced) {
        struct trace *trace = fake_traced;
        fake_traced = NULL;
        trace->step = "lookup";
        trace->done(trace);
    }
}

static size_t read_answer(int fd, char *out)
{
    size_t len = 0;
    for (unsigned turns = 0; turns < TURNS_MOST; turns++) {
        work();
        ssize_t got = recv(fd, out + len, ANSWER_MOST - 1 - len, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return len;
        len += got > 0 ? (size_t)got : 0;
        MUST(len < ANSWER_MOST - 1);
    }
    MUST(len == 0);
    return 0;
}

static void check_answer(char *text, size_t len)
{
    text[len] = '\0';
    MUST(len == 0 || strncmp(text, "HTTP/1.", 7) == 0);
    char *body = len ? strstr(text, "\r\n\r\n") : NULL;
    MUST(len == 0 || body);
    if (!body || body[4] == '\0' || !strstr(text, "Content-Type: application/json"))
        return;
    json_t *json = json_loads(body + 4, 0, NULL);
    MUST(json);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char answer[ANSWER_MOST];
    if (!servers[0])
        begin();
    if (size < 1 || size > 65536)
        return 0;
    int which = data[0] & 1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&names[which], sizeof names[which]) == 0);
    (void)send(fd, data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    MUST(shutdown(fd, SHUT_WR) == 0);
    check_answer(answer, read_answer(fd, answer));
    close(fd);
    work();
    return 0;
}
