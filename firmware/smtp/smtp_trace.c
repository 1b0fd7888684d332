/* Trace lines before a received message (RFC 5321 4.4, RFC 5322 3.3):
 *
 *   Return-Path: <sender>
 *   Received: from HELO-name ([address])
 *           by host with ESMTP id 18c2f0a31b7-2a;
 *           Tue, 24 Nov 2026 03:35:21 +0000
 */
#include "smtp/smtp_session.h"

static void format_peer(struct text *text, const struct stream *stream)
{
    char address[NET_ADDRESS_TEXT];
    struct net_endpoint peer;

    stream_peer(stream, &peer);
    text_string(text, "([");
    if (!net_address_is_v4(&peer.address))
        text_string(text, "IPv6:");
    text_string(text, net_address_format(&peer.address, address));
    text_string(text, "])");
}

void smtp_transaction_id(struct text *text, const struct smtp_session *session)
{
    text_hex(text, (uint64_t)session->received_ms, 11);
    text_string(text, "-");
    text_decimal(text, session->serial);
}

/* RFC 3848, RFC 6531 3.7.3: how the message came. */
static void format_protocol(struct text *text,
                            const struct smtp_session *session)
{
    if (!session->extended) {
        text_string(text, "SMTP");
        return;
    }
    text_string(text, session->smtputf8 ? "UTF8SMTP" : "ESMTP");
    if (session->encrypted)
        text_string(text, "S");
    if (session->user != 0)
        text_string(text, "A");
}

void smtp_trace_format(struct text *text, const struct smtp_session *session,
                       const char *host)
{
    char zone[LIMITS_ZONE_BYTES];

    text_string(text, "Return-Path: <");
    text_bytes(text, session->sender, session->sender_bytes);
    text_string(text, ">\r\nReceived: from ");
    text_bytes(text, session->helo, session->helo_bytes);
    text_string(text, " ");
    format_peer(text, session->dialogue.stream);
    text_string(text, "\r\n\tby ");
    text_string(text, host);
    text_string(text, " with ");
    format_protocol(text, session);
    text_string(text, " id ");
    smtp_transaction_id(text, session);
    text_string(text, ";\r\n\t");
    text_date(text, session->received_ms);
    text_string(text, "\r\n");
    if (session->listed != 0) {
        text_string(text, "X-Blocklist: ");
        text_string(text, limits_zone(session->listed, zone));
        text_string(text, "\r\n");
    }
}
