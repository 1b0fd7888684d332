/* What senders are told: delivery status notifications (RFC 3461, 3464), as
 * multipart/report (RFC 6522): a text for people, the same for programs, and
 * the original message or its header. With addresses in UTF-8 its parts are
 * those of RFC 6533.
 *
 * Nobody is told of a message with a null sender, so that no notice is ever
 * about a notice; the setting "bounce_postmaster=yes" gives those that fail to
 * the postmaster. A sender who is ours is told in his Inbox, another one by the
 * queue. */
#include "core/log.h"
#include "core/machine.h"
#include "core/random.h"
#include "protocol/text.h"
#include "relay/relay_reply.h"
#include "relay/relay_internal.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A message is returned whole, where the sender has not said, up to this. */
#define RETURN_BYTES 65536u
/* Kept of the buffer for what stands around the recipients; and what one of
 * them takes beside its texts. */
#define FRAME_BYTES     4096u
#define RECIPIENT_BYTES 500u
#define BOUNDARY_BYTES  24

static const char said[] = " said: ";

struct notice {
    const struct relay_job *job;
    struct relay_recipient *const *recipients;
    unsigned count;
    const char *host;
    const char *to; /* the sender of the original */
    bool utf8;      /* RFC 6533 */
    bool full;
    char boundary[BOUNDARY_BYTES + 1];
};

/* ---- Who is told of what ------------------------------------------------- */

/* Whether the postmaster's mail goes on to this address. */
static bool is_postmaster(const char *address)
{
    const struct directory_expansion *expansion;

    if (directory_expand_whole("postmaster", &expansion) != OK)
        return false;
    for (unsigned i = 0; i < expansion->count; i++) {
        const struct directory_target *target = &expansion->targets[i];

        if (target->user == NULL && strcasecmp(target->address, address) == 0)
            return true;
    }
    return false;
}

/* Of a message without sender: failures, for the postmaster, but not that he
 * himself cannot be reached: that would be told there again, for ever. */
static bool wanted_by_postmaster(const struct relay_recipient *recipient)
{
    return recipient->outcome == RELAY_FAILED &&
           strcmp(st_setting("bounce_postmaster"), "yes") == 0 &&
           !is_postmaster(recipient->address);
}

bool relay_notice_wanted(const struct relay_job *job,
                         const struct relay_recipient *recipient,
                         bool delay_due)
{
    uint8_t notify = recipient->notify;
    bool unsaid = notify == STORE_NOTIFY_DEFAULT;

    if (job->sender[0] == '\0')
        return wanted_by_postmaster(recipient);
    if (notify & STORE_NOTIFY_NEVER)
        return false;
    switch ((enum relay_outcome)recipient->outcome) {
    case RELAY_RELAYED:
        return notify & STORE_NOTIFY_SUCCESS;
    case RELAY_FAILED:
        return unsaid || (notify & STORE_NOTIFY_FAILURE);
    case RELAY_DEFERRED:
        return delay_due && !recipient->delayed &&
               (unsaid || (notify & STORE_NOTIFY_DELAY));
    case RELAY_PENDING:
    case RELAY_ACCEPTED:
    case RELAY_DELIVERED:
        break;
    }
    return false;
}

/* Finds the sender's Inboxes (there may be several of an alias) or that he is
 * elsewhere. Returns false when there is nobody to tell. */
static bool address_notice(struct store_notice *notice, const char *sender)
{
    const struct directory_expansion *expansion;
    const char *to = sender[0] ? sender : "postmaster";
    enum err err = directory_expand_whole(to, &expansion);

    if (err == ERR_REFUSED) {
        (void)snprintf(notice->remote, sizeof(notice->remote), "%s", to);
        return true;
    }
    for (unsigned i = 0; err == OK && i < expansion->count; i++) {
        const struct directory_target *target = &expansion->targets[i];

        if (target->user == NULL)
            (void)snprintf(notice->remote, sizeof(notice->remote), "%s",
                           target->address);
        else if (notice->user_count < STORE_NOTICE_USERS)
            notice->users[notice->user_count++] = target->user->id;
    }
    return notice->user_count > 0 || notice->remote[0] != '\0';
}

/* ---- Parts of texts ------------------------------------------------------ */

/* The last attempt's reply is either "host said: 550 ..." or our own. */
static const char *reply_of(const struct relay_recipient *recipient,
                            size_t *host_len)
{
    const char *found = strstr(recipient->reply, said);

    *host_len = found ? (size_t)(found - recipient->reply) : 0;
    return found ? found + sizeof(said) - 1 : recipient->reply;
}

static void put_field(struct text *text, const char *name, const char *value)
{
    text_string(text, name);
    text_string(text, value);
    text_string(text, "\r\n");
}

static void put_part(struct text *text, const struct notice *notice,
                     const char *type)
{
    text_string(text, "\r\n--");
    text_string(text, notice->boundary);
    text_string(text, "\r\nContent-Type: ");
    text_string(text, type);
    text_string(text, "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
}

/* ---- The header ---------------------------------------------------------- */

static bool any(const struct notice *notice, enum relay_outcome outcome)
{
    for (unsigned i = 0; i < notice->count; i++) {
        if (notice->recipients[i]->outcome == outcome)
            return true;
    }
    return false;
}

static const char *subject(const struct notice *notice)
{
    if (any(notice, RELAY_FAILED))
        return "Your message could not be delivered";
    if (any(notice, RELAY_DEFERRED))
        return "Your message is delayed";
    return "Your message was passed on";
}

static void put_header(struct text *text, const struct notice *notice,
                       int64_t now_ms)
{
    put_field(text, "Return-Path: <", ">");
    text_string(text, "Date: ");
    text_date(text, now_ms);
    text_string(text, "\r\nFrom: \"Mail Delivery System\" <MAILER-DAEMON@");
    text_string(text, notice->host);
    text_string(text, ">\r\nTo: <");
    text_string(text, notice->to);
    text_string(text, ">\r\nMessage-ID: <");
    text_hex(text, random_u64(), 16);
    text_string(text, "@");
    text_string(text, notice->host);
    put_field(text, ">\r\nSubject: ", subject(notice));
    text_string(text,
                "Auto-Submitted: auto-replied\r\n"
                "MIME-Version: 1.0\r\n"
                "Content-Type: multipart/report; report-type=delivery-status;"
                "\r\n\tboundary=\"");
    text_string(text, notice->boundary);
    text_string(text, "\"\r\n\r\nThis is a delivery status notification.\r\n");
}

/* ---- For people ---------------------------------------------------------- */

static void put_people_list(struct text *text, const struct notice *notice,
                            enum relay_outcome outcome, const char *words)
{
    if (!any(notice, outcome))
        return;
    text_string(text, words);
    for (unsigned i = 0; i < notice->count; i++) {
        const struct relay_recipient *recipient = notice->recipients[i];

        if (recipient->outcome != outcome)
            continue;
        text_string(text, "\r\n<");
        text_string(text, recipient->address);
        text_string(text, ">\r\n");
        if (recipient->expired)
            text_string(text, "    It was tried for too long. At last:\r\n");
        put_field(text, "    ", recipient->reply);
    }
    text_string(text, "\r\n");
}

static void put_people_part(struct text *text, const struct notice *notice)
{
    put_part(text, notice, "text/plain; charset=utf-8");
    text_string(text, "This is the mail server ");
    text_string(text, notice->host);
    text_string(text, ".\r\n\r\n");
    put_people_list(text, notice, RELAY_FAILED,
                    "Your message could not be delivered to:\r\n");
    put_people_list(text, notice, RELAY_DEFERRED,
                    "Your message could not be delivered yet; it will be "
                    "tried again, you need not\r\nsend it again. It is "
                    "for:\r\n");
    put_people_list(text, notice, RELAY_RELAYED,
                    "Your message was passed on to a server that sends no "
                    "notices of its own, for:\r\n");
}

/* ---- For programs (RFC 3464) --------------------------------------------- */

static void put_status(struct text *text,
                       const struct relay_recipient *recipient,
                       const char *reply)
{
    char status[RELAY_STATUS_BYTES];

    text_string(text, "Status: ");
    if (recipient->expired)
        text_string(text, "4.4.7");
    else if (recipient->outcome == RELAY_RELAYED)
        text_string(text, "2.0.0");
    else
        text_string(
            text,
            relay_status(reply, recipient->outcome == RELAY_FAILED, status));
    text_string(text, "\r\n");
}

static const char *action(const struct relay_recipient *recipient)
{
    if (recipient->outcome == RELAY_FAILED)
        return "failed";
    return recipient->outcome == RELAY_DEFERRED ? "delayed" : "relayed";
}

static void put_recipient(struct text *text, const struct notice *notice,
                          const struct relay_recipient *recipient,
                          int64_t now_ms)
{
    size_t host_len;
    const char *reply = reply_of(recipient, &host_len);

    text_string(text, "\r\n");
    if (recipient->orcpt[0] != '\0') {
        text_string(text, "Original-Recipient: ");
        text_xtext(text, recipient->orcpt);
        text_string(text, "\r\n");
    }
    put_field(text,
              text_is_ascii(recipient->address) ? "Final-Recipient: rfc822; "
                                                : "Final-Recipient: utf-8; ",
              recipient->address);
    put_field(text, "Action: ", action(recipient));
    put_status(text, recipient, reply);
    if (host_len > 0) {
        text_string(text, "Remote-MTA: dns; ");
        text_bytes(text, recipient->reply, host_len);
        put_field(text, "\r\nDiagnostic-Code: smtp; ", reply);
    } else {
        put_field(text, "Diagnostic-Code: X-Barepost; ", reply);
    }
    text_string(text, "Last-Attempt-Date: ");
    text_date(text, now_ms);
    text_string(text, "\r\n");
    if (recipient->outcome == RELAY_DEFERRED) {
        text_string(text, "Will-Retry-Until: ");
        text_date(text, notice->job->expires_ms);
        text_string(text, "\r\n");
    }
}

static void put_program_part(struct text *text, const struct notice *notice,
                             int64_t now_ms)
{
    const struct relay_job *job = notice->job;

    put_part(text, notice,
             notice->utf8 ? "message/global-delivery-status"
                          : "message/delivery-status");
    put_field(text, "Reporting-MTA: dns; ", notice->host);
    if (job->envid[0] != '\0') {
        text_string(text, "Original-Envelope-Id: ");
        text_xtext(text, job->envid);
        text_string(text, "\r\n");
    }
    text_string(text, "Arrival-Date: ");
    text_date(text, job->received_ms);
    text_string(text, "\r\n");
    for (unsigned i = 0; i < notice->count; i++)
        put_recipient(text, notice, notice->recipients[i], now_ms);
}

/* ---- The whole ----------------------------------------------------------- */

static const char *returned_type(const struct notice *notice)
{
    if (notice->full)
        return notice->utf8 ? "message/global" : "message/rfc822";
    return notice->utf8 ? "message/global-headers" : "text/rfc822-headers";
}

static bool returns_full(const struct notice *notice)
{
    const struct relay_job *job = notice->job;

    if (!any(notice, RELAY_FAILED) || job->returning == STORE_RETURN_HEADERS ||
        job->bytes > STORE_RETURN_BYTES)
        return false;
    return job->returning == STORE_RETURN_FULL || job->bytes <= RETURN_BYTES;
}

static void make_boundary(struct notice *notice)
{
    struct text text;

    text_init(&text, notice->boundary, BOUNDARY_BYTES);
    text_string(&text, "notice=_");
    text_hex(&text, random_u64(), 16);
    notice->boundary[text.len] = '\0';
}

/* How many recipients the buffer has room for; of one it always has. */
static unsigned count_fitting(struct relay_recipient *const *recipients,
                              unsigned count)
{
    size_t room = RELAY_NOTICE_BYTES - FRAME_BYTES;
    unsigned fitting = 0;

    while (fitting < count) {
        const struct relay_recipient *each = recipients[fitting];
        size_t bytes = RECIPIENT_BYTES + 2 * strlen(each->address) +
                       2 * strlen(each->reply) + strlen(each->orcpt);

        if (bytes > room)
            break;
        room -= bytes;
        fitting++;
    }
    return fitting;
}

unsigned relay_notice_write(struct store_notice *store, char *buffer,
                            const struct relay_job *job,
                            struct relay_recipient *const *recipients,
                            unsigned count)
{
    const char *own = relay_own_name();
    struct notice notice = {
        .job = job,
        .recipients = recipients,
        .count = count_fitting(recipients, count),
        .host = own ? own : "localhost",
    };
    int64_t now_ms = machine_wall_clock_ms();
    struct text text;

    memset(store, 0, sizeof(*store));
    if (!address_notice(store, job->sender)) {
        log_mail(job->message_id, "relay", "nobody to tell from=<%s>",
                 job->sender);
        return 0;
    }
    notice.to = job->sender[0] ? job->sender : "postmaster";
    notice.utf8 = job->smtputf8;
    for (unsigned i = 0; i < notice.count; i++)
        notice.utf8 |= !text_is_ascii(recipients[i]->address);
    notice.full = returns_full(&notice);
    make_boundary(&notice);
    text_init(&text, buffer, RELAY_NOTICE_BYTES);
    put_header(&text, &notice, now_ms);
    put_people_part(&text, &notice);
    put_program_part(&text, &notice, now_ms);
    put_part(&text, &notice, returned_type(&notice));
    store->head = buffer;
    store->head_bytes = text.len;
    text_string(&text, "\r\n--");
    text_string(&text, notice.boundary);
    text_string(&text, "--\r\n");
    store->tail = buffer + store->head_bytes;
    store->tail_bytes = text.len - store->head_bytes;
    store->smtputf8 = notice.utf8;
    store->original = job->message_id;
    store->stays = job->sender[0] == '\0';
    store->full = notice.full;
    return notice.count;
}
