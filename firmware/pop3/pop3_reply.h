/* Every fixed reply of the POP3 server, in one table (RFC 1939, 2449, 3206,
 * 5034). */
#ifndef POP3_POP3_REPLY_H
#define POP3_POP3_REPLY_H

enum pop3_reply {
    POP3_OK,
    POP3_NAME_OK,
    POP3_MECHANISMS,
    POP3_UTF8_ON,
    POP3_BYE,
    POP3_DELETED,
    POP3_UNKNOWN,
    POP3_CONTROL,
    POP3_LINE_TOO_LONG,
    POP3_ARGUMENT,
    POP3_NO_ARGUMENT,
    POP3_STATE,
    POP3_NO_MESSAGE,
    POP3_IS_DELETED,
    POP3_AUTH,
    POP3_AUTH_LAST,
    POP3_AUTH_CLEAR,
    POP3_AUTH_MECHANISM,
    POP3_AUTH_ENDED,
    POP3_AUTH_BASE64,
    POP3_IN_USE,
    POP3_TEMPORARY,
    POP3_DAMAGED,
    POP3_BUSY,
    POP3_TOO_MANY_SESSIONS,
    POP3_TIMED_OUT,
    POP3_TOO_MANY_ERRORS,
    POP3_NOT_DELETED,
    POP3_STOPPING,
    POP3_REPLIES
};

/* pop3_reply_text - the whole reply with its CRLF. */
const char *pop3_reply_text(enum pop3_reply reply);

#endif
