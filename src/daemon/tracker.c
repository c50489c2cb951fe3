/* SPDX-License-Identifier: MIT */
/* Invariants:
 * - at most one query is under way; then due_ms is 0, and its item is freed by the reply;
 * - the file has what tracked_each_evidence shows, or `unsaved` is set: it could not be written, which is logged, and is tried
 *   again after the next query, and before another state would take its place. */
#include "tracker.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/verifytime.h"
#include "trackerfile.h"

enum {
    FIRST_MS = 250,       /* after the start, when sessions are open */
    AGAIN_MS = 60 * 1000, /* out of memory, or while the clock may be behind */
    NETWORK_MS = 5000,    /* after a change of the network */
    NETWORK_EVERY_MS = 60 * 1000,
};

struct tracker_question {
    struct worker_keys item;
    struct tracker *tracker;
};

static void due(uv_timer_t *timer);

/* --- the time of the next query --- */

/* The timer's clock does not count the time for which the machine is suspended, so it is looked at every hour at least. */
static void schedule(struct tracker *tracker)
{
    uint64_t now_ms = clock_ms(), due_ms = tracked_query()->due_ms, most_ms = TRACKING_HOUR_S * UINT64_C(1000);
    uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    uv_timer_stop(&tracker->timer);
    if (tracker->worker && !tracker->stopped && tracked_query()->wanted && due_ms > 0)
        uv_timer_start(&tracker->timer, due, wait_ms < most_ms ? wait_ms : most_ms, 0);
}

static void ask_in(struct tracker *tracker, uint64_t ms)
{
    tracked_query()->due_ms = clock_ms() + ms;
    schedule(tracker);
}

/* --- changes --- */

static const char *date_text(int64_t at_s, char out[32])
{
    struct tm tm;
    time_t time = (time_t)at_s;
    if (!gmtime_r(&time, &tm) || strftime(out, 32, "%Y-%m-%d", &tm) == 0)
        return "?";
    return out;
}

static void log_change(const struct tracking_change *change)
{
    const struct tracked_key *key = &change->key;
    unsigned tag = key->tag, algorithm = key->algorithm;
    char date[32];
    switch (key->state) {
    case TRACKING_PENDING:
        log_info("resolve", "trust anchor %u (algorithm %u): pending, a new key of the root; valid from %s if it stays",
                 tag, algorithm, date_text(key->since_s + key->hold_s, date));
        break;
    case TRACKING_START:
        log_info("resolve", "trust anchor %u (algorithm %u): no longer pending, the root has withdrawn it", tag,
                 algorithm);
        break;
    case TRACKING_VALID:
        log_info("resolve", "trust anchor %u (algorithm %u): valid, %s", tag, algorithm,
                 change->before == TRACKING_PENDING ? "after the hold-down" : "it is among the root's keys again");
        break;
    case TRACKING_MISSING:
        log_info("resolve", "trust anchor %u (algorithm %u): missing from the root's keys; it stays an anchor", tag,
                 algorithm);
        break;
    case TRACKING_REVOKED:
        log_warning("resolve", "trust anchor %u (algorithm %u): revoked by the root; it is never used again", tag,
                    algorithm);
        break;
    default:
        log_info("resolve",
                 "trust anchor %u (algorithm %u): removed, it was revoked and is no longer among the root's keys", tag,
                 algorithm);
    }
}

/* True if one of the changes is more than that a key is missing, or there again. */
static bool log_changes(const struct tracking_change *changes, unsigned count, bool *anchors)
{
    bool saved = false;
    *anchors = false;
    for (unsigned i = 0; i < count; i++) {
        bool was = tracking_is_trusted(changes[i].before), is = tracking_is_trusted(changes[i].key.state);
        log_change(&changes[i]);
        saved |= !was || !is;
        *anchors |= was != is;
    }
    if (*anchors && !tracked_has_anchor())
        log_error("resolve",
                  "all trust anchors of the root are revoked, so all signed names are bogus; install a newer "
                  "dotstub, or name a file with the root's anchors in dnssec.trust-anchors");
    return saved;
}

static void save(struct tracker *tracker)
{
    if (!tracker->handed_over)
        tracker->unsaved = !trackerfile_write(tracker->config);
}

/* --- queries --- */

/* The response. 0 or negative; then nothing has changed. */
static int take(struct tracker *tracker, struct bytes message)
{
    static struct tracking_change changes[TRACKING_KEYS];
    struct sighting *sighting;
    unsigned count;
    bool anchors;
    int status = sighting_new(&sighting, message, clock_wall_s());
    if (status < 0)
        return status == -E2BIG ? ERROR_LIMIT : status;
    int64_t next_s = tracking_query_interval(sighting), retry_s = tracking_retry_interval(sighting);
    switch (tracked_see(sighting, changes, &count)) {
    case TRACKING_UNTRUSTED:
        return ERROR_BOGUS;
    case TRACKING_REFUSED:
        log_warning("resolve", "trust anchors: the root's keys have changed too often; the state before stays in use");
        break;
    default:
        if (log_changes(changes, count, &anchors) || tracker->unsaved)
            save(tracker);
        if (tracked_query()->ignored > 0)
            log_warning("resolve", "trust anchors: ignoring %u new keys of the root: %d keys are tracked already",
                        tracked_query()->ignored, TRACKING_KEYS);
        if (anchors)
            tracker->changed();
    }
    tracker->retry_s = retry_s;
    tracked_query()->good_s = clock_wall_s();
    ask_in(tracker, (uint64_t)next_s * 1000);
    return 0;
}

/* Servers that cannot be reached have log lines of their own. */
static void log_failure(const struct tracker *tracker, int status)
{
    bool strange = status == ERROR_BOGUS || status == ERROR_LIMIT || status == ERROR_MALFORMED;
    char text[160];
    snprintf(text, sizeof text, "trust anchors: cannot look up the root's keys: %s; trying again in %lld minutes",
             error_text(status), (long long)tracker->retry_s / 60);
    if (strange)
        log_warning("resolve", "%s", text);
    else
        log_info("resolve", "%s", text);
}

static void answered(struct mailbox_item *item, void *reader)
{
    struct tracker_question *question = container_of(item, struct tracker_question, item.reply);
    const struct key_lookup *lookup = &question->item.lookup;
    struct tracker *tracker = question->tracker;
    int before = tracked_query()->error;
    (void)reader;
    if (!tracker->stopped && tracked_query()->wanted) {
        int status = lookup->status == 0 ? take(tracker, (struct bytes){lookup->message, lookup->len}) : lookup->status;
        tracked_query()->error = status;
        if (status < 0) {
            if (status != before)
                log_failure(tracker, status);
            ask_in(tracker, (uint64_t)tracker->retry_s * 1000);
        }
    } else {
        tracked_query()->due_ms = clock_ms();
    }
    mem_free(lookup->message);
    mem_free(question);
}

static void due(uv_timer_t *timer)
{
    struct tracker *tracker = container_of(timer, struct tracker, timer);
    if (clock_ms() < tracked_query()->due_ms) {
        schedule(tracker);
        return;
    }
    struct tracker_question *question = verifytime_may_be_behind() ? NULL : mem_zalloc(1, sizeof *question);
    if (!question) {
        ask_in(tracker, AGAIN_MS);
        return;
    }
    question->tracker = tracker;
    question->item.reply.open = answered;
    tracker->asked_ms = clock_ms();
    tracked_query()->due_ms = 0;
    worker_look_up_keys(tracker->worker, &question->item);
}

/* --- start, changes, end --- */

int tracker_init(struct tracker *tracker, struct loop *loop)
{
    *tracker = (struct tracker){.retry_s = TRACKING_HOUR_S};
    return uv_timer_init(&loop->uv, &tracker->timer);
}

static void use(struct tracker *tracker, struct config *config)
{
    config_ref(config);
    config_unref(tracker->config);
    tracker->config = config;
    tracked_query()->wanted = tracked_is_wanted(config);
}

/* The state that the file proves, or the evidence that is not in it. False: nothing has changed. */
static bool read_state(struct tracker *tracker, struct anchors *configured)
{
    if (tracker->unsaved)
        save(tracker);
    if (tracker->unsaved)
        return tracked_go_on(configured);
    if (!tracked_begin(configured))
        return false;
    trackerfile_read(tracker->config);
    return true;
}

/* True: the state differs from the configured anchors. */
static bool begin(struct tracker *tracker, struct anchors *configured)
{
    struct tracked_key keys[TRACKING_KEYS];
    bool differs = false;
    if (!read_state(tracker, configured))
        return false;
    unsigned count = tracked_list(keys);
    for (unsigned i = 0; i < count; i++)
        differs |= keys[i].configured != tracking_is_trusted(keys[i].state);
    return differs;
}

bool tracker_begin(struct tracker *tracker, struct config *config, struct anchors *configured)
{
    use(tracker, config);
    return tracked_query()->wanted && begin(tracker, configured);
}

void tracker_start(struct tracker *tracker, struct worker *worker, void (*changed)(void))
{
    tracker->worker = worker;
    tracker->changed = changed;
    ask_in(tracker, FIRST_MS);
}

void tracker_configure(struct tracker *tracker, struct config *config, struct anchors *configured)
{
    bool before = tracked_query()->wanted;
    if (!tracker->worker || tracker->stopped)
        return;
    use(tracker, config);
    if (!tracked_query()->wanted) {
        tracker->unsaved = false;
        (void)tracked_begin(NULL);
    } else if (begin(tracker, configured)) {
        tracker->changed();
    }
    if (tracked_query()->wanted && !before)
        ask_in(tracker, FIRST_MS);
}

void tracker_network_changed(struct tracker *tracker)
{
    uint64_t now_ms = clock_ms(), earliest_ms = tracker->asked_ms + NETWORK_EVERY_MS;
    if (!tracker->worker || tracked_query()->due_ms == 0)
        return;
    if (tracked_query()->error)
        ask_in(tracker, earliest_ms > now_ms + NETWORK_MS ? earliest_ms - now_ms : NETWORK_MS);
    else
        schedule(tracker);
}

void tracker_hand_over(struct tracker *tracker)
{
    tracker->handed_over = true;
}

void tracker_stop(struct tracker *tracker)
{
    tracker->stopped = true;
    uv_timer_stop(&tracker->timer);
}

void tracker_close(struct tracker *tracker)
{
    uv_close((uv_handle_t *)&tracker->timer, NULL);
}

void tracker_fini(struct tracker *tracker)
{
    (void)tracked_begin(NULL);
    config_unref(tracker->config);
}
