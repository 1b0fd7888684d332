/* The SMTP server's lines in the log. That a message's life begins with:
 *
 *   received id=18c2f0a31b7-2a client=192.0.2.7 helo=host.example from=<a@b>
 *   size=1045 local=anna,bert remote=<x@y>,<z@y> *
 * and what was not taken:
 *
 *   refused client=192.0.2.7 from=<a@b> to=<nobody@here> reply="550 5.1.1 ..."
 *
 * Whoever makes many errors makes very many: of refusals only so many are told
 * in a time, and how many were not. */
#include "core/log.h"
#include "smtp/smtp_session.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

/* Of the recipients; who does not fit is counted: "+93". */
#define NAMES_BYTES 230
#define HELO_SHOWN  64
/* Refusals that are told: at once, and one more each so many ms. */
#define REFUSALS_AT_ONCE 50
#define REFUSAL_MS       500

static struct {
    unsigned told;  /* of REFUSALS_AT_ONCE, not given back by time yet */
    uint64_t at_ms; /* when that was so */
    uint64_t left_out;
} state;

/* Appends "name" with a comma before all but the first; what follows the first
 * one that does not fit is only counted. */
struct names {
    struct text text;
    unsigned left_out;
};

static void add_name(struct names *names, const char *before, const char *name,
                     const char *behind)
{
    size_t len = strlen(before) + strlen(name) + strlen(behind) + 1;

    if (names->left_out > 0 || len > names->text.room - names->text.len) {
        names->left_out++;
        return;
    }
    if (names->text.len > 0)
        text_string(&names->text, ",");
    text_string(&names->text, before);
    text_string(&names->text, name);
    text_string(&names->text, behind);
}

static void end_names(struct names *names)
{
    if (names->left_out == 0)
        return;
    /* Beyond what add_name() may fill. */
    names->text.room += sizeof(",+4294967295");
    text_string(&names->text, ",+");
    text_decimal(&names->text, names->left_out);
}

static void format_names(const struct st_envelope *envelope,
                         struct names *locals, struct names *remotes)
{
    for (unsigned i = 0; i < envelope->user_count; i++) {
        const struct user *user = directory_user_by_id(envelope->users[i]);

        add_name(locals, "", user != NULL ? user->name : "?", "");
    }
    for (unsigned i = 0; i < envelope->remote_count; i++)
        add_name(remotes, "<", envelope->remotes[i].address, ">");
    end_names(locals);
    end_names(remotes);
}

/* " key=value", nothing when there is no value. */
static void add_value(struct text *text, const char *key,
                      const struct text *value)
{
    if (value->len == 0)
        return;
    text_string(text, key);
    text_bytes(text, value->bytes, value->len);
}

/* A line is written for each message: it is put together without printf(). */
void smtp_log_received(const struct smtp_session *session, int64_t mail_id,
                       const struct st_envelope *envelope)
{
    static char line[LOG_TEXT_BYTES];
    static char local[NAMES_BYTES + 16], remote[NAMES_BYTES + 16];
    char address[NET_ADDRESS_TEXT], value[SMTP_PATH_MAX + 8];
    struct names locals = {.left_out = 0}, remotes = {.left_out = 0};
    const struct user *user = directory_user_by_id(session->user);
    struct net_endpoint peer;
    struct text text;

    text_init(&locals.text, local, NAMES_BYTES);
    text_init(&remotes.text, remote, NAMES_BYTES);
    text_init(&text, line, sizeof(line));
    format_names(envelope, &locals, &remotes);
    stream_peer(session->dialogue.stream, &peer);
    text_string(&text, "received id=");
    smtp_transaction_id(&text, session);
    text_string(&text, " client=");
    text_string(&text, net_address_format(&peer.address, address));
    text_string(&text, " helo=");
    text_string(&text,
                log_value(value, HELO_SHOWN + 8, session->helo,
                          session->helo_bytes < HELO_SHOWN ? session->helo_bytes
                                                           : HELO_SHOWN));
    if (user != NULL) {
        text_string(&text, " user=");
        text_string(&text, user->name);
    }
    text_string(&text, " from=<");
    if (session->sender_bytes > 0)
        text_string(&text, log_value(value, sizeof(value), session->sender,
                                     session->sender_bytes));
    text_string(&text, "> size=");
    text_decimal(&text, session->text.bytes);
    add_value(&text, " local=", &locals.text);
    add_value(&text, " remote=", &remotes.text);
    log_mail_text(mail_id, "smtp", line, text.len);
}

/* ---- Refusals ------------------------------------------------------------ */

static bool may_tell(void)
{
    uint64_t now = timer_now_ms();
    uint64_t back = (now - state.at_ms) / REFUSAL_MS;

    if (back > 0) {
        state.told = back < state.told ? state.told - (unsigned)back : 0;
        state.at_ms = now;
    }
    if (state.told == REFUSALS_AT_ONCE) {
        state.left_out++;
        return false;
    }
    state.told++;
    return true;
}

void smtp_log_refused(const struct smtp_session *session, const char *to,
                      size_t to_len, enum smtp_reply reply)
{
    char address[NET_ADDRESS_TEXT], sender[SMTP_PATH_MAX + 8];
    char recipient[SMTP_PATH_MAX + 8], left_out[40] = "";
    static char words[SMTP_REPLY_BYTES];
    struct net_endpoint peer;
    struct text text;

    if (!may_tell())
        return;
    if (state.left_out > 0)
        (void)snprintf(left_out, sizeof(left_out), " not_told=%llu",
                       (unsigned long long)state.left_out);
    state.left_out = 0;
    text_init(&text, words, sizeof(words));
    smtp_reply_format(&text, reply, smtp_host());
    stream_peer(session->dialogue.stream, &peer);
    log_fact("smtp", "refused client=%s from=<%s> to=<%s> reply=\"%.*s\"%s",
             net_address_format(&peer.address, address),
             session->sender_bytes > 0
                 ? log_value(sender, sizeof(sender), session->sender,
                             session->sender_bytes)
                 : "",
             to_len > 0 ? log_value(recipient, sizeof(recipient), to, to_len)
                        : "",
             (int)text.len - 2, words, left_out);
}
