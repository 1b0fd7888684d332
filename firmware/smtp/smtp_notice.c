/* What a sender is told who wanted to know that his message has arrived
 * (NOTIFY=SUCCESS, RFC 3461 5.2): a notice (RFC 3464, RFC 6522) that it lies in
 * the mailboxes here, written when it does. What becomes of recipients
 * elsewhere is told by the relay.
 *
 * A notice is a courtesy: when the store has no room for it, it is left out and
 * the log says so. It gives the envelope's id and the original recipients, and
 * no part of the message. */
#include "core/log.h"
#include "core/machine.h"
#include "smtp/smtp_session.h"
#include "userdb/directory.h"
#include <string.h>

#define NOTICE_BYTES 32768
/* Of them, kept for what is not about one recipient; and the most that one
 * takes in the part for programs. */
#define FRAME_BYTES     3072
#define RECIPIENT_BYTES 900

static struct {
    char bytes[NOTICE_BYTES];
    int64_t user;
} state;

static void put_part(struct text *text, const struct smtp_session *session,
                     const char *type)
{
    text_string(text, "\r\n--=_");
    smtp_transaction_id(text, session);
    text_string(text, "\r\nContent-Type: ");
    text_string(text, type);
    text_string(text, "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
}

static void put_header(struct text *text, const struct smtp_session *session)
{
    text_string(text, "Return-Path: <>\r\nDate: ");
    text_date(text, machine_wall_clock_ms());
    text_string(text, "\r\nFrom: \"Mail Delivery System\" <MAILER-DAEMON@");
    text_string(text, smtp_host());
    text_string(text, ">\r\nTo: <");
    text_string(text, session->sender);
    text_string(text, ">\r\nMessage-ID: <");
    smtp_transaction_id(text, session);
    text_string(text, ".delivered@");
    text_string(text, smtp_host());
    text_string(text,
                ">\r\nSubject: Your message has been delivered\r\n"
                "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                "Content-Type: multipart/report; report-type=delivery-status;"
                "\r\n\tboundary=\"=_");
    smtp_transaction_id(text, session);
    text_string(text, "\"\r\n\r\nThis is a delivery status notification.\r\n");
}

/* For people. Returns how many recipients fit. */
static unsigned put_people_part(struct text *text,
                                const struct smtp_session *session)
{
    struct envelope_success success = {.block = NULL};
    unsigned count = 0;

    put_part(text, session, "text/plain; charset=utf-8");
    text_string(text, "This is the mail server ");
    text_string(text, smtp_host());
    text_string(text, ".\r\n\r\nYour message has been delivered to:\r\n");
    while (text->room - text->len >
               FRAME_BYTES + (count + 1) * (size_t)RECIPIENT_BYTES &&
           envelope_next_success(&session->envelope, &success)) {
        text_string(text, "    <");
        text_string(text, success.address);
        text_string(text, ">\r\n");
        count++;
    }
    return count;
}

/* For programs: the same recipients. */
static void put_program_part(struct text *text,
                             const struct smtp_session *session, bool utf8,
                             unsigned count)
{
    struct envelope_success success = {.block = NULL};
    const char *envid = envelope_list(&session->envelope)->envid;

    put_part(text, session,
             utf8 ? "message/global-delivery-status"
                  : "message/delivery-status");
    if (envid[0] != '\0') {
        text_string(text, "Original-Envelope-Id: ");
        text_xtext(text, envid);
        text_string(text, "\r\n");
    }
    text_string(text, "Reporting-MTA: dns; ");
    text_string(text, smtp_host());
    text_string(text, "\r\nArrival-Date: ");
    text_date(text, session->received_ms);
    text_string(text, "\r\n");
    while (count-- > 0 && envelope_next_success(&session->envelope, &success)) {
        text_string(text, "\r\n");
        if (success.orcpt[0] != '\0') {
            text_string(text, "Original-Recipient: ");
            text_xtext(text, success.orcpt);
            text_string(text, "\r\n");
        }
        text_string(text, text_is_ascii(success.address)
                              ? "Final-Recipient: rfc822; "
                              : "Final-Recipient: utf-8; ");
        text_string(text, success.address);
        text_string(text, success.expanded ? "\r\nAction: expanded"
                                           : "\r\nAction: delivered");
        text_string(text, "\r\nStatus: 2.0.0\r\n");
    }
}

static bool needs_utf8(const struct smtp_session *session)
{
    struct envelope_success success = {.block = NULL};
    bool utf8 = !text_is_ascii(session->sender);

    while (envelope_next_success(&session->envelope, &success))
        utf8 |=
            !text_is_ascii(success.address) || !text_is_ascii(success.orcpt);
    return utf8;
}

static void on_committed(void *context, enum err result, int64_t message_id)
{
    (void)context;
    if (result != OK)
        log_warn("smtp", "notice not stored error=\"%s\"", err_text(result));
    else
        log_mail(message_id, "smtp", "notice of delivery");
}

/* A notice needs no more room than one chunk, which is there or not. */
static void on_room(void *context)
{
    (void)context;
}

static void store_notice(const struct text *text,
                         const struct st_envelope *envelope)
{
    enum err why;
    struct st_inbound *inbound =
        st_inbound_begin(text->len, on_room, &state, &why);

    if (inbound == NULL) {
        log_warn("smtp", "no room for a notice error=\"%s\"", err_text(why));
        return;
    }
    if (st_inbound_write(inbound, text->bytes, text->len) < text->len) {
        log_warn("smtp", "no room for a notice");
        st_inbound_discard(inbound);
        return;
    }
    st_inbound_commit(inbound, envelope, on_committed, &state);
}

/* The sender as recipient: users here, or an address elsewhere. Returns false
 * when he is nobody. */
static bool address_notice(const char *sender, struct st_envelope *envelope,
                           struct store_remote *remote)
{
    const struct directory_expansion *expansion;
    enum err err = directory_expand_whole(sender, &expansion);

    if (err != OK && err != ERR_REFUSED)
        return false;
    if (err == OK && expansion->targets[0].user != NULL) {
        state.user = expansion->targets[0].user->id;
        envelope->user_count = 1;
        return true;
    }
    remote->address = err == OK ? expansion->targets[0].address : sender;
    remote->orcpt = "";
    remote->notify = STORE_NOTIFY_NEVER;
    envelope->remotes = remote;
    envelope->remote_count = 1;
    return true;
}

void smtp_notice_delivered(const struct smtp_session *session)
{
    bool utf8 = needs_utf8(session);
    struct st_envelope envelope = {.sender = "",
                                   .envid = "",
                                   .users = &state.user,
                                   .smtputf8 = utf8,
                                   .eight_bit = utf8};
    struct store_remote remote;
    struct text text;
    unsigned count;

    if (session->sender_bytes == 0 ||
        !address_notice(session->sender, &envelope, &remote))
        return;
    text_init(&text, state.bytes, sizeof(state.bytes));
    put_header(&text, session);
    count = put_people_part(&text, session);
    put_program_part(&text, session, utf8, count);
    text_string(&text, "\r\n--=_");
    smtp_transaction_id(&text, session);
    text_string(&text, "--\r\n");
    if (!text.cut)
        store_notice(&text, &envelope);
}
