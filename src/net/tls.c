/* SPDX-License-Identifier: MIT */
/* One session over byte buffers, of a client or of a server.
 *
 * begun     the handshake
 * verified  tls_handshake gave 0
 * over      close_notify, or a failure of any kind
 *
 * Invariants: the library pulls from `input`, pushes to `output` and uses no descriptor. Before `verified`, which is
 * set only after the peer was verified, no clear byte is read or written and no ticket is stored. Once `over`, the
 * library is not called to read any more, and `reason` (0: close_notify) does not change. */
#include "net/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/mem.h"
#include "tls_private.h"

/* RFC 8446 section 4.6.1: seven days at most. RFC 5077 servers may leave the lifetime unspecified. */
#define TICKET_LIFETIME_MAX_S     (7 * 24 * 3600u)
#define TICKET_LIFETIME_UNKNOWN_S (2 * 3600u)
/* The number of tickets that one session may store: a limit for servers that keep sending tickets. */
#define TICKETS_A_SESSION (2 * TLS_TICKETS)
/* The most ASN.1 elements in a Certificate message. A chain of a public server has 200 to 500. GnuTLS needs up to 4 us
 * for each one whenever it parses a certificate, which it does about eight times. */
#define CERTIFICATE_ELEMENTS_MAX 1000

static ssize_t pull(gnutls_transport_ptr_t transport, void *out, size_t len)
{
    struct tls *tls = transport;
    if (tls->input.len == 0) {
        tls->starved = true;
        gnutls_transport_set_errno(tls->session, EAGAIN);
        return -1;
    }
    if (len > tls->input.len)
        len = tls->input.len;
    if (!tls->verified && len > tls->handshake_left) {
        tls->oversized = true;
        gnutls_transport_set_errno(tls->session, EMSGSIZE);
        return -1;
    }
    tls->handshake_left -= tls->verified ? 0 : len;
    memcpy(out, tls->input.data, len);
    tls->input.data += len;
    tls->input.len -= len;
    return (ssize_t)len;
}

static int pull_timeout(gnutls_transport_ptr_t transport, unsigned ms)
{
    const struct tls *tls = transport;
    (void)ms;
    return tls->input.len > 0;
}

static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t len)
{
    struct tls *tls = transport;
    if (buffer_append(tls->output, data, len) < 0) {
        tls->no_memory = true;
        gnutls_transport_set_errno(tls->session, ENOMEM);
        return -1;
    }
    return (ssize_t)len;
}

static void keep_ticket(struct tls *tls, uint64_t expires_ms)
{
    gnutls_datum_t data = {0};
    if (tls->tickets_left == 0 || gnutls_session_get_data2(tls->session, &data) < 0)
        return;
    tls->tickets_left--;
    tls_tickets_put(tls->tickets, data.data, data.size, expires_ms,
                    gnutls_protocol_get_version(tls->session) >= GNUTLS_TLS1_3);
    gnutls_free(data.data);
}

static uint64_t ticket_expires_ms(uint32_t life_s)
{
    if (life_s > TICKET_LIFETIME_MAX_S)
        life_s = TICKET_LIFETIME_MAX_S;
    return clock_ms() + (uint64_t)life_s * 1000;
}

/* The lifetime of a ticket is readable before the library processes the message, the session data after it. Tickets
 * of TLS 1.2 come within the handshake and are stored at its end. */
static void on_ticket(struct tls *tls, bool taken_in, const gnutls_datum_t *message)
{
    if (!taken_in)
        tls->ticket_life_s = message->size >= 4 ? read_u32(message->data) : 0;
    else if (tls->verified && tls->ticket_life_s > 0)
        keep_ticket(tls, ticket_expires_ms(tls->ticket_life_s));
}

/* Called before the library parses the message, which takes more than linear time. */
static bool is_certificate_oversized(gnutls_session_t session, const gnutls_datum_t *message)
{
    struct tls *tls = gnutls_session_get_ptr(session);
    bool tls13 = gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3;
    tls->oversized |=
        message->size > CERTIFICATE_MAX ||
        tls_chain_elements((struct bytes){message->data, message->size}, tls13) > CERTIFICATE_ELEMENTS_MAX;
    return tls->oversized;
}

int tls_limit_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *message)
{
    if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT && when == GNUTLS_HOOK_PRE && incoming &&
        is_certificate_oversized(session, message))
        return GNUTLS_E_CONSTRAINT_ERROR;
    bool key_is_used =
        incoming && (type == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY || type == GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE);
    if (key_is_used && when == GNUTLS_HOOK_PRE && tls_peer_keys_are_costly(session))
        return GNUTLS_E_CONSTRAINT_ERROR;
    return 0;
}

static int on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                      const gnutls_datum_t *message)
{
    if (type == GNUTLS_HANDSHAKE_NEW_SESSION_TICKET)
        on_ticket(gnutls_session_get_ptr(session), when == GNUTLS_HOOK_POST, message);
    return tls_limit_message(session, type, when, incoming, message);
}

/* TLS 1.2: a session is resumable by ticket or by the server's session id. */
static bool is_resumable(gnutls_session_t session)
{
    gnutls_datum_t id;
    return gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET ||
           (gnutls_session_get_id2(session, &id) == 0 && id.size > 0);
}

/* TLS 1.2: the ticket of a resumed session may be used again (RFC 5077 section 3.3). */
static void keep_tls12_session(struct tls *tls)
{
    if (gnutls_protocol_get_version(tls->session) != GNUTLS_TLS1_2)
        return;
    if (gnutls_session_is_resumed(tls->session))
        keep_ticket(tls, tls->used_expires_ms);
    else if (is_resumable(tls->session))
        keep_ticket(tls, ticket_expires_ms(tls->ticket_life_s > 0 ? tls->ticket_life_s : TICKET_LIFETIME_UNKNOWN_S));
}

/* RFC 6066 section 3: no address literals. */
static int name_server(gnutls_session_t session, const char *name)
{
    uint8_t address[16];
    if (!name || inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return 0;
    return gnutls_server_name_set(session, GNUTLS_NAME_DNS, name, strlen(name));
}

static int offer_protocol(gnutls_session_t session, const char *alpn)
{
    const gnutls_datum_t protocol = {.data = (unsigned char *)alpn, .size = alpn ? (unsigned)strlen(alpn) : 0};
    return alpn ? gnutls_alpn_set_protocols(session, &protocol, 1, 0) : 0;
}

int tls_begin(struct tls *tls, unsigned flags, struct buffer *output)
{
    int result = gnutls_init(&tls->session, flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (result < 0) {
        tls->session = NULL;
        return result;
    }
    tls->output = output;
    tls->handshake_left = HANDSHAKE_MAX;
    gnutls_session_set_ptr(tls->session, tls);
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_pull_timeout_function(tls->session, pull_timeout);
    gnutls_transport_set_push_function(tls->session, push);
    gnutls_handshake_set_timeout(tls->session, 0); /* the owner has deadlines */
    return 0;
}

static int set_up_client(struct tls *tls, const char *alpn, struct buffer *output)
{
    int result = tls_begin(tls, GNUTLS_CLIENT, output);
    if (result < 0)
        return result;
    gnutls_handshake_set_hook_function(tls->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_BOTH, on_message);
    if ((result = gnutls_priority_set(tls->session, tls->trust->priority)) < 0)
        return result;
    if ((result = gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls_store_credentials(tls->store))) < 0)
        return result;
    if ((result = name_server(tls->session, tls->trust->name)) < 0)
        return result;
    return offer_protocol(tls->session, alpn);
}

struct tls *tls_new(const struct tls_client *client, struct buffer *output)
{
    struct tls *tls = mem_is_short() ? NULL : mem_zalloc(1, sizeof *tls); /* a handshake takes 150 KiB in GnuTLS */
    if (!tls)
        return NULL;
    tls->trust = tls_trust_ref(client->trust);
    tls->store = tls_trust_hold_store(tls->trust);
    tls->tickets = client->tickets;
    tls->credential = tls_own_hold(tls->trust->own);
    tls->tickets_left = TICKETS_A_SESSION;
    if (set_up_client(tls, client->alpn, output) < 0) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    if (tls->session)
        gnutls_deinit(tls->session);
    if (tls->store)
        tls_store_release(tls->store);
    tls_credential_release(tls->credential);
    tls_trust_unref(tls->trust);
    tls_identity_unref(tls->identity);
    mem_free(tls);
}

void tls_input(struct tls *tls, struct bytes ciphertext)
{
    tls->input = ciphertext;
}

/* Results of the library that are not errors. */
static bool is_passing(ssize_t result)
{
    return result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

static int library_error(const struct tls *tls, int result)
{
    if (tls->no_memory)
        return -ENOMEM;
    if (tls->oversized)
        return ERROR_TLS_SIZE;
    switch (result) {
    case GNUTLS_E_MEMORY_ERROR:
        return -ENOMEM;
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return gnutls_alert_get(tls->session) == GNUTLS_A_NO_APPLICATION_PROTOCOL ? ERROR_TLS_ALPN : ERROR_TLS_ALERT;
    case GNUTLS_E_INSUFFICIENT_SECURITY:
        return ERROR_TLS_WEAK;
    case GNUTLS_E_CONSTRAINT_ERROR: /* from on_message */
        return ERROR_TLS_UNTRUSTED;
    default:
        return ERROR_TLS_PROTOCOL;
    }
}

static int end(struct tls *tls, int reason)
{
    tls->over = true;
    tls->reason = reason;
    return reason;
}

/* Ends the session after an error; sends an alert to the peer if there is a suitable one. */
static int fail(struct tls *tls, int result)
{
    if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
        log_debug("tls", "alert from the peer: %s", gnutls_alert_get_name(gnutls_alert_get(tls->session)));
    else
        log_debug("tls", "session failed: %s", gnutls_strerror(result));
    int reason = library_error(tls, result);
    if (result != GNUTLS_E_FATAL_ALERT_RECEIVED)
        (void)gnutls_alert_send_appropriate(tls->session, result);
    return end(tls, reason);
}

/* Verifies again after a refusal, if the CA file has changed since it was loaded. */
static int verify_again(struct tls *tls, int refusal)
{
    tls_trust_refresh(tls->trust);
    struct tls_store *store = tls_trust_hold_store(tls->trust), *before = tls->store;
    if (store == before ||
        gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls_store_credentials(store)) < 0) {
        tls_store_release(store);
        return refusal;
    }
    tls->store = store;
    tls_store_release(before);
    return tls_verify_peer(tls, &tls->early);
}

static int verify_server(struct tls *tls)
{
    struct tls_verified *verified = tls->tickets ? &tls->tickets->verified : NULL;
    if (verified && tls_was_verified(tls, verified)) {
        tls->certificate = verified->certificate;
        return 0;
    }
    int result = tls_verify_peer(tls, &tls->early);
    if (result == ERROR_TLS_UNTRUSTED || result == ERROR_TLS_EXPIRED)
        result = verify_again(tls, result);
    if (result == ERROR_TLS_UNTRUSTED && tls_store_is_waiting(tls->store))
        result = ERROR_TLS_NO_CA;
    tls_describe_peer(tls->session, &tls->certificate);
    if (verified && result == 0 && !tls->early)
        tls_note_verified(tls, verified);
    return result;
}

static int accept_peer(struct tls *tls)
{
    if (tls->identity) {
        int refusal = tls_accept_client(tls);
        tls->verified = refusal == 0;
        return refusal < 0 ? end(tls, refusal) : 0;
    }
    int result = verify_server(tls);
    if (result < 0) {
        (void)gnutls_alert_send(tls->session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
        return end(tls, result);
    }
    tls->verified = true;
    if (tls->early)
        tls->tickets_left = 0; /* a resumed session would not be verified again */
    keep_tls12_session(tls);
    return 0;
}

/* Called when the connection is established, so that a failed dial uses no ticket. A ticket that the library
 * rejects is dropped, and a full handshake follows. */
static void use_ticket(struct tls *tls)
{
    size_t len;
    const uint8_t *own = tls_credential_digest(tls->credential);
    if (memcmp(tls->tickets->own, own, DIGEST_LEN) != 0) { /* the server knows the old certificate by them */
        tls_tickets_clear(tls->tickets);
        memcpy(tls->tickets->own, own, DIGEST_LEN);
    }
    uint8_t *ticket = tls_tickets_take(tls->tickets, &len, &tls->used_expires_ms);
    if (ticket)
        (void)gnutls_session_set_data(tls->session, ticket, len);
    mem_free(ticket);
}

int tls_handshake(struct tls *tls)
{
    if (tls->over)
        return tls->reason;
    if (!tls->begun && tls->trust && tls->trust->own && !tls->credential)
        return end(tls, ERROR_TLS_NO_CERTIFICATE);
    if (!tls->begun && tls->tickets)
        use_ticket(tls);
    tls->begun = true;
    for (;;) {
        tls->starved = false;
        int result = gnutls_handshake(tls->session);
        if (result == 0)
            return accept_peer(tls);
        if (result == GNUTLS_E_AGAIN && tls->starved)
            return -EAGAIN;
        if (result != GNUTLS_E_AGAIN && !is_passing(result))
            return fail(tls, result);
    }
}

/* A needless call of the library costs as much as a small record. */
static bool has_input(const struct tls *tls)
{
    return tls->input.len > 0 || gnutls_record_check_pending(tls->session) > 0;
}

int tls_read(struct tls *tls, uint8_t *out, size_t cap)
{
    size_t len = 0;
    assert(tls->verified);
    while (len < cap && !tls->over && has_input(tls)) {
        tls->starved = false;
        ssize_t result = gnutls_record_recv(tls->session, out + len, cap - len);
        if (result > 0)
            len += (size_t)result;
        else if (result == 0)
            end(tls, 0);
        else if (result == GNUTLS_E_AGAIN && tls->starved)
            break;
        else if (result != GNUTLS_E_AGAIN && !is_passing(result))
            fail(tls, (int)result); /* also refuses a rehandshake */
        /* else: a ticket or key update was processed, and records may follow it */
    }
    if (len > 0)
        return (int)len;
    return tls->over ? tls->reason : -EAGAIN;
}

int tls_write(struct tls *tls, const uint8_t *data, size_t len)
{
    assert(tls->verified);
    while (len > 0) {
        ssize_t sent = gnutls_record_send(tls->session, data, len);
        if (sent < 0)
            return end(tls, library_error(tls, (int)sent));
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

void tls_bye(struct tls *tls)
{
    (void)gnutls_bye(tls->session, GNUTLS_SHUT_WR);
}

void tls_get_facts(struct tls *tls, struct tls_facts *out)
{
    gnutls_datum_t alpn;
    *out = (struct tls_facts){.resumed = gnutls_session_is_resumed(tls->session), .early = tls->early};
    out->pinned = tls->trust && tls->trust->pin_count > 0;
    const char *version = gnutls_protocol_get_name(gnutls_protocol_get_version(tls->session));
    const char *cipher = gnutls_cipher_get_name(gnutls_cipher_get(tls->session));
    snprintf(out->version, sizeof out->version, "%s", version ? version : "");
    snprintf(out->cipher, sizeof out->cipher, "%s", cipher ? cipher : "");
    if (gnutls_alpn_get_selected_protocol(tls->session, &alpn) == 0)
        snprintf(out->alpn, sizeof out->alpn, "%.*s", (int)alpn.size, (const char *)alpn.data);
    out->certificate = tls->certificate;
}
