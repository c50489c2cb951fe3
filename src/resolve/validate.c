/* SPDX-License-Identifier: MIT */
/* The stage VALIDATE of a lookup: fetches what the validation of its response needs, and applies the verdict.
 *
 * Invariants:
 *   - keys and DS are the responses of ordinary lookups, in the cache with their verdict: AD set for secure ones. An
 *     entry without CD that was stored in this mode has been validated;
 *   - a lookup waits for one other at a time, so validate_continue runs from lookup_validate or from the end of a wait;
 *   - a bogus response is never stored, and reaches nobody; a response that cannot be cleaned counts as bogus.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/rewrite.h"
#include "net/verifytime.h"
#include "refresh.h"
#include "validator.h"

struct dnssec_context validate_context(const struct resolver *resolver, const struct key *key)
{
    struct dnssec_context context = {
        .anchors = validator_of(resolver)->anchors,
        .verified = validator_of(resolver)->verified,
        .more = negatives_of(validator_of(resolver)),
        .now_ms = loop_now(resolver->loop),
        .now_s = clock_wall_s(),
        .may_be_behind = verifytime_may_be_behind(),
    };
    if (!groups_is_unvouched(resolver->groups, key, &context.within))
        context.within.len = 0;
    return context;
}

/* --- the verdict --- */

/* The upstream was asked not to check, so what it says of validation does not count. */
static void drop_claims(struct answer *answer)
{
    struct ede_list kept;
    kept.count = 0;
    answer->authenticated = false;
    for (unsigned i = 0; i < answer->ede.count; i++) {
        const struct ede *ede = &answer->ede.item[i];
        bool claim = ede->code == EDE_DNSKEY_ALGORITHM || ede->code == EDE_DS_DIGEST ||
                     (ede->code >= EDE_INDETERMINATE && ede->code <= EDE_NSEC_MISSING) ||
                     ede->code == EDE_NSEC3_ITERATIONS;
        if (!claim)
            ede_add(&kept, ede->code, ede->text, ede->len);
    }
    if (answer->ede.count > 0)
        answer->ede = kept;
}

/* Leaves out the records that nothing vouches for. 0, ERROR_MALFORMED or -ENOMEM. */
static int clean(struct lookup *lookup, const struct validation *validation, bool secure)
{
    struct answer *answer = lookup->answer;
    struct rewrite *rewrite = lookup->resolver->rewrite;
    unsigned kept = 0;
    rewrite_list(rewrite, answer);
    for (unsigned section = 0; section < 3; section++)
        for (unsigned i = rewrite->section_start[section]; i < rewrite->section_start[section + 1]; i++)
            if (section == 2 ? !secure : validation_keeps(validation, i)) {
                rewrite_choose(rewrite, section, i);
                kept++;
            }
    if (kept == rewrite->section_start[3])
        return 0;
    int status = rewrite_chosen(rewrite, answer);
    return status < 0 ? status : lookup_keep(lookup) ? 0 : -ENOMEM; /* `rewrite` is used for other responses, too */
}

static void note_reason(struct answer *answer, int ede_code, const char *text)
{
    if (ede_code == EDE_NONE)
        return;
    if (answer->ede.count == EDE_MAX)
        answer->ede.count--;
    ede_add(&answer->ede, (uint16_t)ede_code, text, strlen(text));
}

/* The part of the name that is probably the zone: names of hosts do not belong into the log. */
static const uint8_t *zone_of(const struct key *key)
{
    return name_labels(key->name) > 2 ? key->name + 1 + key->name[0] : key->name;
}

/* Logs once an hour for a zone. */
static void tell(struct lookup *lookup, const char *text)
{
    struct validator *validator = validator_of(lookup->resolver);
    const uint8_t *zone = zone_of(&lookup->key);
    uint64_t hash = hash_bytes(zone, lookup->key.name_len - (size_t)(zone - lookup->key.name));
    uint64_t now_ms = loop_now(lookup->resolver->loop);
    struct validator_told *told = &validator->told[hash % VALIDATOR_TOLD];
    char name[NAME_MAX_TEXT];
    if (told->hash == hash && now_ms < told->until_ms)
        return;
    *told = (struct validator_told){hash, now_ms + VALIDATOR_TOLD_MS};
    const char *of = strstr(text, " of "); /* then a name follows */
    log_warning("resolve", "bogus data in %.200s (DNSSEC): %.*s", name_text(zone, name),
                (int)(of ? (size_t)(of - text) : strlen(text)), text);
}

static void count_bogus(struct counters *counters, int ede_code)
{
    static const enum counter by_reason[] = {
        [EDE_BOGUS - EDE_BOGUS] = COUNTER_dnssec_bogus_signature,
        [EDE_SIGNATURE_EXPIRED - EDE_BOGUS] = COUNTER_dnssec_bogus_expired,
        [EDE_SIGNATURE_NOT_YET_VALID - EDE_BOGUS] = COUNTER_dnssec_bogus_not_yet,
        [EDE_DNSKEY_MISSING - EDE_BOGUS] = COUNTER_dnssec_bogus_no_key,
        [EDE_RRSIGS_MISSING - EDE_BOGUS] = COUNTER_dnssec_bogus_unsigned,
        [EDE_NO_ZONE_KEY - EDE_BOGUS] = COUNTER_dnssec_bogus_no_zone_key,
        [EDE_NSEC_MISSING - EDE_BOGUS] = COUNTER_dnssec_bogus_no_proof,
    };
    counter_add(counters, COUNTER_dnssec_bogus, 1);
    counter_add(counters, by_reason[ede_code - EDE_BOGUS], 1);
}

/* The response becomes SERVFAIL; lookup_finish does the rest. */
static void refuse(struct lookup *lookup, int ede_code, const char *text, bool limited)
{
    struct answer *answer = lookup->answer;
    bool bogus = ede_code >= EDE_BOGUS && ede_code <= EDE_NSEC_MISSING; /* else keys or DS could not be had */
    if (bogus)
        count_bogus(lookup->resolver->counters, ede_code);
    counter_add(lookup->resolver->counters, COUNTER_dnssec_limited, limited);
    if (bogus)
        reporting_bogus(lookup, (unsigned)ede_code);
    lookup->ede_is_ours = true;
    answer->rcode = RCODE_SERVFAIL;
    answer->authenticated = false;
    answer->ede.count = 0;
    note_reason(answer, ede_code, text);
    if (bogus)
        tell(lookup, text);
}

static void release(struct lookup *lookup)
{
    validator_of(lookup->resolver)->held -= lookup->validation->held;
    lookup->validation->held = 0;
}

/* Another attempt has begun. */
static void forget_response(struct lookup *lookup)
{
    release(lookup);
    validation_free(lookup->validation->validation);
    lookup->validation->validation = NULL;
    lookup_reject(lookup);
}

/* Another operator may tell the truth. True: the lookup waits for its response. */
static bool ask_again(struct lookup *lookup)
{
    if (lookup->stored)
        lookup_ask_afresh(lookup);
    else if (!ask_elsewhere(&lookup->ask))
        return false;
    counter_add(lookup->resolver->counters, COUNTER_dnssec_retried, 1);
    forget_response(lookup);
    return true;
}

static bool reject(struct lookup *lookup, int ede_code, const char *text, bool limited)
{
    char reason[EDE_TEXT + 1]; /* the text may belong to the validation */
    snprintf(reason, sizeof reason, "%s", text);
    if (ask_again(lookup))
        return true;
    refuse(lookup, ede_code, reason, limited);
    return false;
}

/* A reload has changed the mode of validation. True: the query was sent again as the new configuration wants it, and the
 * lookup waits for the response. False: the lookup fails; so do lookups of keys and DS, which are no longer needed. */
static bool ask_redefined(struct lookup *lookup)
{
    if (lookup->dependent || !lookup_ask_redefined(lookup)) {
        refuse(lookup, EDE_INDETERMINATE, "the configuration has changed", false);
        return false;
    }
    forget_response(lookup);
    return true;
}

/* True: the lookup waits. */
static bool apply(struct lookup *lookup, enum dnssec_verdict verdict)
{
    const struct validation *validation = lookup->validation->validation;
    const struct dnssec_result *result = validation_result(validation);
    struct counters *counters = lookup->resolver->counters;
    bool secure = verdict == DNSSEC_SECURE;
    lookup->validation->checks += result->checks;
    counter_add(counters, COUNTER_dnssec_signatures, result->checks);
    counter_add(counters, COUNTER_dnssec_remembered, result->remembered);
    if (verdict == DNSSEC_BOGUS)
        return reject(lookup, result->ede_code == EDE_NONE ? EDE_BOGUS : result->ede_code, result->ede_text,
                      result->limited);
    if (secure)
        denied_learn(lookup);
    int status = clean(lookup, validation, secure);
    if (status < 0)
        return reject(lookup, EDE_BOGUS, error_text(status), true);
    counter_add(counters, secure ? COUNTER_dnssec_secure : COUNTER_dnssec_insecure, 1);
    lookup->answer->authenticated = secure;
    uint32_t life_s = result->life_s < result->ends_s ? result->life_s : result->ends_s;
    lookup->is_unsettled = result->unsettled || life_s == 0; /* else 0 means: no limit */
    if (life_s < UINT32_MAX)
        lookup->life_s = life_s;
    if (!secure)
        note_reason(lookup->answer, result->ede_code, result->ede_text);
    lookup->ede_is_ours = !secure && result->ede_code != EDE_NONE;
    return false;
}

/* --- what the validation needs --- */

static bool validate_continue(struct lookup *lookup);

/* Without the id of the other lookup's record (lookup_add_id). */
static size_t len_without_id(const struct ede *ede)
{
    size_t len = ede->len;
    if (len == 0 || ede->text[len - 1] != ']')
        return len;
    while (len > 0 && ede->text[len - 1] != '[')
        len--;
    return len > 1 ? len - 2 : ede->len;
}

/* Gives the validation a response. */
static void give(struct lookup *lookup, const struct answer *answer, int ede_code, const char *text)
{
    struct validation *validation = lookup->validation->validation;
    const struct dnssec_result *result = validation_result(validation);
    uint8_t name[NAME_MAX_WIRE];
    size_t len = result->need_len;
    bool failed = !answer || rcode_is_failure(answer->rcode) || answer->rcode == RCODE_NOTIMP;
    enum dnssec_verdict verdict = failed ? DNSSEC_BOGUS : answer->authenticated ? DNSSEC_SECURE : DNSSEC_INSECURE;
    char reason[EDE_TEXT + 1] = "";
    if (answer && answer->ede.count > 0) {
        const struct ede *ede = &answer->ede.item[0];
        ede_code = ede->code;
        snprintf(reason, sizeof reason, "%.*s", (int)len_without_id(ede), ede->text);
        text = reason;
    }
    if (failed && ede_code == EDE_NONE)
        ede_code = EDE_INDETERMINATE;
    memcpy(name, result->need, len);
    if (validation_give(validation, name, len, result->need_type, verdict, answer, ede_code, text) < 0)
        lookup->validation->out_of_memory = true;
}

static void need_done(struct lookup_wait *wait, const struct answer *answer)
{
    struct lookup *lookup = wait->parent, *other = wait->waiter.lookup;
    int ede_code = EDE_NONE;
    char text[EDE_TEXT + 1] = "";
    if (!answer)
        (void)lookup_explain(other, false, &ede_code, text);
    if (other->validation)
        lookup->validation->checks += other->validation->checks;
    give(lookup, answer, ede_code, text);
    if (!validate_continue(lookup))
        (void)lookup_advance(lookup, STAGE_VALIDATE + 1);
}

static void need_key(const struct lookup *lookup, const struct dnssec_result *result, struct key *out)
{
    key_copy_head(out, &lookup->key);
    out->type = result->need_type;
    out->flags = KEY_DO;
    out->name_len = result->need_len;
    memcpy(out->name, result->need, result->need_len);
}

/* True: it was given, from the cache, as a recent failure, or because proofs in the cache deny it. */
static bool give_known(struct lookup *lookup, const struct key *key, uint64_t hash)
{
    struct resolver *resolver = lookup->resolver;
    uint64_t now_ms = loop_now(resolver->loop);
    struct cache_found found;
    if (cache_get(resolver->cache, key, hash, now_ms, CACHE_FRESH, 0, validator_of(resolver)->room, MESSAGE_MAX,
                  &found) == CACHE_HIT) {
        give(lookup, &found.answer, EDE_NONE, "");
        if (found.answer.ttl * 10 <= found.original_ttl && refresh_is_due(resolver, hash))
            lookup_refresh(resolver, key, hash);
        return true;
    }
    struct answer answer;
    const struct failure *failure =
        failures_find(refresh_failures(resolver), key, hash, now_ms, cache_epoch(resolver->cache));
    if (failure)
        answer = (struct answer){.rcode = failure->rcode, .ede = failure->ede};
    else if (!denied_find(resolver, key, &answer))
        return false;
    give(lookup, &answer, EDE_NONE, "");
    return true;
}

/* The validation is about to wait. False: waiting validations hold too much memory. */
static bool hold(struct lookup *lookup)
{
    struct lookup_validation *state = lookup->validation;
    struct validator *validator = validator_of(lookup->resolver);
    const struct answer *answer = lookup->answer;
    size_t bytes =
        validation_result(state->validation)->memory + answer->len + answer->ttl_count * sizeof *answer->ttl_offsets;
    size_t most = bytes > VALIDATE_LARGE ? VALIDATE_HELD / 4 : VALIDATE_HELD, others = validator->held - state->held;
    state->over_memory = others + bytes > most;
    if (state->over_memory)
        return false;
    validator->held = others + bytes;
    state->held = bytes;
    return true;
}

/* True: the lookup waits for another one. */
static bool fetch(struct lookup *lookup)
{
    struct lookup_validation *state = lookup->validation;
    struct key key;
    need_key(lookup, validation_result(state->validation), &key);
    if (give_known(lookup, &key, key_hash(&key)))
        return false;
    if (!hold(lookup))
        return false;
    state->wait.done = need_done;
    int status = lookup_await(lookup, &state->wait, &key);
    if (status == 0)
        return true;
    give(lookup, NULL, EDE_INDETERMINATE, error_text(status));
    return false;
}

static bool validate_continue(struct lookup *lookup)
{
    struct lookup_validation *state = lookup->validation;
    struct dnssec_context context = validate_context(lookup->resolver, &lookup->key);
    for (;;) {
        if (!context.anchors) /* a reload has ended validation meanwhile */
            return ask_redefined(lookup);
        if (state->out_of_memory)
            return reject(lookup, EDE_OTHER, error_text(-ENOMEM), false);
        if (state->over_memory) {
            counter_add(lookup->resolver->counters, COUNTER_dnssec_over_memory, 1);
            refuse(lookup, EDE_OTHER, "too many responses wait for their validation", false);
            return false;
        }
        if (state->checks + validation_result(state->validation)->checks > VALIDATE_CHECKS)
            return reject(lookup, EDE_BOGUS, "too many signatures for one query", true);
        enum dnssec_verdict verdict = validation_run(state->validation, lookup->answer, &context);
        if (verdict == DNSSEC_PAUSE && hold(lookup)) {
            counter_add(lookup->resolver->counters, COUNTER_dnssec_paused, 1);
            timeout_start(&validator_of(lookup->resolver)->pauses, &state->pause);
            return true;
        }
        if (!dnssec_is_open(verdict))
            return apply(lookup, verdict);
        if (verdict == DNSSEC_NEED && fetch(lookup))
            return true;
    }
}

void validate_resume(struct timeout *pause)
{
    struct lookup *lookup = container_of(pause, struct lookup_validation, pause)->lookup;
    if (!validate_continue(lookup))
        (void)lookup_advance(lookup, STAGE_VALIDATE + 1);
}

/* --- the stage --- */

/* In the mode that was in force when the lookup began: its query depends on it. */
bool lookup_is_validated(const struct lookup *lookup)
{
    return upstream_dnssec(lookup->plan) != DNSSEC_MODE_UPSTREAM;
}

bool lookup_validate(struct lookup *lookup)
{
    struct answer *answer = lookup->answer;
    drop_claims(answer);
    if (upstream_dnssec(lookup->plan) != DNSSEC_MODE_VALIDATE || (lookup->key.flags & KEY_CD) ||
        lookup->key.class != CLASS_IN || rcode_is_failure(answer->rcode) || answer->rcode == RCODE_NOTIMP)
        return false;
    lookup->validating_ms = loop_now(lookup->resolver->loop);
    if (!lookup->validation)
        lookup->validation = mem_zalloc(1, sizeof *lookup->validation);
    if (lookup->validation) {
        lookup->validation->lookup = lookup;
        lookup->validation->validation = validation_new(&lookup->key);
    }
    if (!lookup->validation || !lookup->validation->validation) {
        refuse(lookup, EDE_OTHER, error_text(-ENOMEM), false);
        return false;
    }
    return validate_continue(lookup);
}

void lookup_stop_validation(struct lookup *lookup)
{
    timeout_stop(&lookup->validation->pause);
}

void lookup_end_validation(struct lookup *lookup)
{
    if (!lookup->validation)
        return;
    release(lookup);
    validation_free(lookup->validation->validation);
    mem_free(lookup->validation);
    lookup->validation = NULL;
}
