/* SPDX-License-Identifier: MIT */
#include "blockrules.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "dns/codes.h"

/* --- making --- */

static void read_answer(struct block_answer *out, char *const *texts, size_t count)
{
    static const struct block_answer zero = {.kind = ANSWER_ADDRESSES, .v4_count = 1, .v6_count = 1};
    struct addr addr;
    *out = (struct block_answer){.kind = ANSWER_NXDOMAIN};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(texts[i], "zero") == 0)
            *out = zero;
        else if (strcmp(texts[i], "nodata") == 0)
            out->kind = ANSWER_NODATA;
        if (addr_parse(&addr, texts[i], 53) < 0)
            continue;
        out->kind = ANSWER_ADDRESSES;
        if (addr.sa.sa_family == AF_INET && out->v4_count < 16)
            memcpy(out->v4[out->v4_count++], &addr.in.sin_addr, 4);
        else if (addr.sa.sa_family == AF_INET6 && out->v6_count < 16)
            memcpy(out->v6[out->v6_count++], &addr.in6.sin6_addr, 16);
    }
}

static int add_list(struct block_rules *rules, const struct config *config, const struct config_block_list *list)
{
    static const uint16_t codes[] = {
        [BLOCK_BLOCKED] = EDE_BLOCKED, [BLOCK_CENSORED] = EDE_CENSORED, [BLOCK_FILTERED] = EDE_FILTERED};
    struct block_rules_list *out = &rules->lists[rules->count];
    int status = block_source_get(&out->source, &out->content, config, list);
    if (status < 0)
        return status;
    uint64_t bit = UINT64_C(1) << rules->count++;
    bool own = list->answer_count > 0;
    read_answer(&out->answer, own ? list->answer : config->block.answer,
                own ? list->answer_count : config->block.answer_count);
    out->ede = codes[list->reason];
    if (out->content && out->content->list.names.count > 0)
        rules->with_names |= bit;
    if (out->content && out->content->list.network_count > 0)
        rules->with_networks |= bit;
    if (list->format == BLOCK_ADBLOCK)
        rules->with_exceptions |= bit;
    if (list->is_default)
        rules->for_view[0] |= bit;
    return 0;
}

/* The lists that a view names, "all" being those of clients of no view. */
static uint64_t lists_named(const struct block_rules *rules, char *const *names, size_t count)
{
    uint64_t lists = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], "all") == 0)
            lists |= rules->for_view[0];
        for (unsigned list = 0; list < rules->count; list++)
            if (strcmp(names[i], rules->lists[list].source->name) == 0)
                lists |= UINT64_C(1) << list;
    }
    return lists;
}

static int make_filter(struct block_rules *rules)
{
    const struct name_set *sets[BLOCK_LISTS_MAX];
    size_t count = 0;
    for (unsigned i = 0; i < rules->count; i++)
        if (rules->lists[i].content)
            sets[count++] = &rules->lists[i].content->list.names;
    return name_filter_new(&rules->filter, sets, count);
}

static bool is_repeated(const struct suffix *suffixes, size_t i)
{
    for (size_t earlier = 0; earlier < i; earlier++)
        if (name_equal(suffixes[earlier].name, suffixes[i].name))
            return true;
    return false;
}

static int make_exceptions(struct block_rules *rules, const struct config *config)
{
    size_t count = config->block.exception_count, used = 0;
    if (count == 0)
        return 0;
    struct suffix *suffixes = mem_zalloc(count, sizeof *suffixes);
    uint8_t(*names)[NAME_MAX_WIRE] = mem_zalloc(count, sizeof *names);
    int status = suffixes && names ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < count; i++) {
        int len = name_from_text(names[used], config->block.exceptions[i]);
        status = len < 0 ? len : 0;
        suffixes[used].name = names[used];
        used += len > 0 && !is_repeated(suffixes, used);
    }
    if (status == 0)
        status = suffix_table_new(&rules->exceptions, suffixes, used);
    mem_free(suffixes);
    mem_free(names);
    return status;
}

int block_rules_new(struct block_rules **out, const struct config *config)
{
    *out = NULL;
    if (config->block.list_count == 0)
        return 0;
    struct block_rules *rules = mem_zalloc(1, sizeof *rules);
    int status = rules ? 0 : -ENOMEM;
    for (size_t i = 0; status == 0 && i < config->block.list_count && i < BLOCK_LISTS_MAX; i++)
        status = add_list(rules, config, &config->block.lists[i]);
    for (size_t i = 0; status == 0 && i < CONFIG_VIEWS_MAX; i++)
        rules->for_view[i + 1] =
            i < config->view_count ? lists_named(rules, config->views[i].block_lists, config->views[i].block_list_count)
                                   : rules->for_view[0];
    if (status == 0)
        status = make_filter(rules);
    if (status == 0)
        status = make_exceptions(rules, config);
    if (status < 0) {
        block_rules_free(rules);
        return status;
    }
    rules->ttl = config->block.ttl;
    *out = rules;
    return 0;
}

bool block_rules_wait(const struct block_rules *rules)
{
    bool found = false;
    for (unsigned i = 0; rules && i < rules->count; i++)
        found = found || block_source_is_waiting(rules->lists[i].source);
    return found;
}

void block_rules_free(struct block_rules *rules)
{
    if (!rules)
        return;
    for (unsigned i = 0; i < rules->count; i++)
        block_source_put(rules->lists[i].source, rules->lists[i].content);
    name_filter_free(&rules->filter);
    suffix_table_free(rules->exceptions);
    mem_free(rules);
}

/* --- names that are unblocked for some time --- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct block_unblocked unblocked[BLOCK_UNBLOCKED_MAX];
static size_t unblocked_count;

/* The caller has the lock. */
static void drop_expired(uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < unblocked_count; i++)
        if (unblocked[i].until_ms > now_ms)
            unblocked[kept++] = unblocked[i];
    unblocked_count = kept;
}

int block_unblock(const uint8_t *name, size_t len, uint64_t until_ms)
{
    int status = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < unblocked_count; i++)
        if (unblocked[i].len == len && memcmp(unblocked[i].name, name, len) == 0)
            unblocked[i].until_ms = 0; /* replaced */
    drop_expired(clock_ms());
    if (until_ms > clock_ms() && unblocked_count < BLOCK_UNBLOCKED_MAX) {
        struct block_unblocked *item = &unblocked[unblocked_count++];
        memcpy(item->name, name, len);
        item->len = len;
        item->until_ms = until_ms;
    } else if (until_ms > clock_ms()) {
        status = -ENOSPC;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

size_t block_unblocked(struct block_unblocked out[BLOCK_UNBLOCKED_MAX])
{
    pthread_mutex_lock(&lock);
    drop_expired(clock_ms());
    size_t count = unblocked_count;
    memcpy(out, unblocked, count * sizeof *out);
    pthread_mutex_unlock(&lock);
    return count;
}

static bool is_unblocked(const uint8_t *name, size_t len)
{
    bool found = false;
    uint64_t now_ms = clock_ms();
    pthread_mutex_lock(&lock);
    for (size_t i = 0; !found && i < unblocked_count; i++)
        found = unblocked[i].until_ms > now_ms && name_is_under(name, len, unblocked[i].name, unblocked[i].len);
    pthread_mutex_unlock(&lock);
    return found;
}

/* --- finding --- */

/* The search for one name. */
struct search {
    const struct block_rules *rules;
    uint64_t left;  /* lists without a rule so far */
    uint64_t found; /* lists with a rule */
    struct block_match best;
};

/* Looks for a suffix of the name in the lists. True: an exception decides. */
static __attribute__((noinline)) bool look_in_lists(struct search *search, struct wide_hash hash, unsigned offset)
{
    const struct block_rules *rules = search->rules;
    uint64_t lists = search->left | (search->found & rules->with_exceptions);
    for (; lists; lists &= lists - 1) {
        unsigned i = (unsigned)__builtin_ctzll(lists);
        uint8_t value = name_set_find(&rules->lists[i].content->list.names, hash);
        enum block_rule rule = block_value_rule(value, offset == 0);
        if (rule == RULE_NONE)
            continue;
        bool is_best = rule == RULE_ALLOW || search->found == 0 || i < search->best.list;
        search->found |= UINT64_C(1) << i;
        search->left &= ~(UINT64_C(1) << i);
        if (is_best)
            search->best = (struct block_match){i, rule, offset, offset == 0, hash};
        if (rule == RULE_ALLOW)
            return true;
    }
    return false;
}

bool block_rules_except(const struct block_rules *rules, const uint8_t *name, size_t len)
{
    uint32_t value;
    size_t suffix_len;
    return (rules->exceptions && suffix_table_find(rules->exceptions, name, len, &value, &suffix_len)) ||
           is_unblocked(name, len);
}

static enum block_fate fate_of(const struct block_rules *rules, const uint8_t *name, size_t len,
                               struct block_match *match)
{
    if (match->rule == RULE_PASS || match->rule == RULE_ALLOW)
        return BLOCK_FATE_ALLOWED;
    if (!block_rules_except(rules, name, len))
        return BLOCK_FATE_BLOCKED;
    match->list = BLOCK_LISTS_MAX;
    return BLOCK_FATE_ALLOWED;
}

enum block_fate block_rules_find(const struct block_rules *rules, uint64_t mask, const uint8_t *name, size_t len,
                                 struct block_match *out)
{
    const struct name_filter *filter = &rules->filter;
    struct search search = {.rules = rules, .left = rules->with_names & mask};
    unsigned labels = name_labels(name), offset = 0;
    if (search.left == 0)
        return BLOCK_FATE_NONE;
    for (;; labels--) {
        if (name_depths_hold(&filter->depths, labels)) {
            struct wide_hash hash = hash_wide(name + offset, len - offset);
            if (name_filter_passes(filter, hash.first) && look_in_lists(&search, hash, offset))
                break;
        }
        if (labels == 0)
            break;
        offset += 1 + (unsigned)name[offset];
    }
    if (search.found == 0)
        return BLOCK_FATE_NONE;
    *out = search.best;
    return fate_of(rules, name, len, out);
}

enum block_fate block_rules_find_address(const struct block_rules *rules, uint64_t mask, const uint8_t *address,
                                         size_t len, struct block_match *out)
{
    uint8_t bytes[16] = {[10] = 0xFF, [11] = 0xFF};
    memcpy(bytes + sizeof bytes - len, address, len);
    for (uint64_t lists = rules->with_networks & mask; lists; lists &= lists - 1) {
        unsigned i = (unsigned)__builtin_ctzll(lists);
        const struct block_network *network = block_list_network(&rules->lists[i].content->list, bytes);
        if (!network)
            continue;
        *out = (struct block_match){.list = i, .rule = (enum block_rule)network->rule, .self = true};
        out->owner = block_network_hash(&network->prefix);
        return network->rule == RULE_PASS ? BLOCK_FATE_ALLOWED : BLOCK_FATE_BLOCKED;
    }
    return BLOCK_FATE_NONE;
}

/* --- reports --- */

size_t block_report(const void *snapshot, struct block_list_report out[BLOCK_LISTS_MAX])
{
    const struct block_rules *rules = snapshot;
    for (unsigned i = 0; rules && i < rules->count; i++)
        block_source_report(rules->lists[i].source, rules->lists[i].content, &out[i]);
    return rules ? rules->count : 0;
}

void block_test(const void *snapshot, const uint8_t *name, size_t len, struct block_test *out)
{
    static const char *const actions[] = {
        [RULE_BLOCK] = "block",  [RULE_NXDOMAIN] = "nxdomain", [RULE_NODATA] = "nodata", [RULE_DROP] = "drop",
        [RULE_TCP] = "tcp-only", [RULE_DATA] = "data",         [RULE_PASS] = "passthru", [RULE_ALLOW] = "exception"};
    const struct block_rules *rules = snapshot;
    struct block_match match = {.rule = RULE_NONE};
    *out = (struct block_test){.fate = BLOCK_FATE_NONE, .action = ""};
    if (rules)
        out->fate = block_rules_find(rules, rules->for_view[0], name, len, &match);
    if (rules && match.rule == RULE_NONE) {
        out->fate = block_rules_find(rules, UINT64_MAX, name, len, &match);
        out->views_only = match.rule != RULE_NONE;
    }
    if (match.rule == RULE_NONE)
        return;
    out->action = actions[match.rule];
    char text[NAME_MAX_TEXT];
    name_text(name + match.offset, text);
    snprintf(out->rule, sizeof out->rule, "%s%.*s", match.self ? "" : "*.", (int)sizeof out->rule - 3, text);
    if (match.list < rules->count)
        memcpy(out->list, rules->lists[match.list].source->name, sizeof out->list);
}
