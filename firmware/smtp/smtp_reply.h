/* Every reply of the SMTP server, in one table (RFC 5321 4.2, RFC 3463). */
#ifndef SMTP_SMTP_REPLY_H
#define SMTP_SMTP_REPLY_H

#include "protocol/text.h"
#include <stdint.h>

enum smtp_reply {
    SMTP_OK,
    SMTP_SENDER_OK,
    SMTP_RECIPIENT_OK,
    SMTP_BYE,
    SMTP_VERIFY,
    SMTP_HELP,
    SMTP_AUTH_OK,
    SMTP_START_MAIL,
    SMTP_TIMED_OUT,
    SMTP_TOO_MANY_ERRORS,
    SMTP_TOO_MANY_COMMANDS,
    SMTP_BUSY,
    SMTP_TOO_MANY_SESSIONS,
    SMTP_TOO_MANY_GUESSES,
    SMTP_SENDING_LIMIT,
    SMTP_STOPPING,
    SMTP_STORE_GONE,
    SMTP_STORE_BUSY,
    SMTP_STORE_FULL,
    SMTP_QUOTA_FULL,
    SMTP_TOO_MANY_RECIPIENTS,
    SMTP_AUTH_BUSY,
    SMTP_LINE_TOO_LONG,
    SMTP_UNKNOWN,
    SMTP_CONTROL,
    SMTP_AUTH_TOO_LONG,
    SMTP_SYNTAX,
    SMTP_NO_ARGUMENT,
    SMTP_ARGUMENT,
    SMTP_BAD_PARAMETER,
    SMTP_BAD_SENDER,
    SMTP_BAD_RECIPIENT,
    SMTP_BAD_BASE64,
    SMTP_AUTH_CANCELLED,
    SMTP_NOT_IMPLEMENTED,
    SMTP_SEQUENCE,
    SMTP_HELLO_FIRST,
    SMTP_CHUNKS_ONLY,
    SMTP_AUTH_MECHANISM,
    SMTP_AUTH_FIRST,
    SMTP_AUTH_WRONG,
    SMTP_AUTH_CLEAR,
    SMTP_NO_USER,
    SMTP_DISABLED,
    SMTP_NO_RELAY,
    SMTP_CLOSED,
    SMTP_LISTED,
    SMTP_EARLY,
    SMTP_EXPANSION,
    SMTP_NOT_YOURS,
    SMTP_BARE,
    SMTP_TOO_BIG,
    SMTP_QUOTA_SMALL,
    SMTP_HEADER_TOO_BIG,
    SMTP_UTF8_ADDRESS,
    SMTP_LOOP,
    SMTP_TEXT_LINE_TOO_LONG,
    SMTP_BINARY_ELSEWHERE,
    SMTP_NO_RECIPIENTS,
    SMTP_PARAMETER_UNKNOWN,
    SMTP_REPLIES
};

/* smtp_reply_code - its three digits. */
uint16_t smtp_reply_code(enum smtp_reply reply);

/* smtp_reply_format - appends the whole line with CRLF; host stands in the
 * replies that name it. */
void smtp_reply_format(struct text *text, enum smtp_reply reply,
                       const char *host);

/* Longest reply, of one line or several, with the longest host name. */
#define SMTP_REPLY_BYTES 640

#endif
