/* Inside of the POP3 server: the session and what its files give each other.
 * Not for other rooms. */
#ifndef POP3_POP3_SESSION_H
#define POP3_POP3_SESSION_H

#include "account/account.h"
#include "core/list.h"
#include "core/task.h"
#include "core/timer.h"
#include "limits/limits.h"
#include "pop3/pop3_reply.h"
#include "pop3/pop3_server.h"
#include "pop3/pop3_text.h"
#include "protocol/dialogue.h"
#include "protocol/text.h"
#include "store/st.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With CRLF: of a command (RFC 2449 4: 255), and of a response to AUTH with two
 * names and a password in base64; the latter is what the buffer holds. */
#define POP3_COMMAND_BYTES 256
#define POP3_LINE_BYTES    1216
#define POP3_PIECE_BYTES   16384 /* half a buffer */
#define POP3_ERRORS_MAX    20    /* per session */
#define POP3_LOGINS_MAX    3     /* wrong passwords */

enum pop3_state {
    POP3_GREETED,     /* AUTHORIZATION of RFC 1939: no name yet */
    POP3_NAMED,       /* AUTHORIZATION: USER was given */
    POP3_SECRET,      /* AUTHORIZATION: AUTH waits for a response */
    POP3_TRANSACTION, /* as in RFC 1939 */
    POP3_LOGIN,       /* PASS was given, waiting for the answer */
    POP3_LOCK,        /* waiting for the maildrop */
    POP3_SENDING,     /* a reply of many lines is going out */
    POP3_UPDATE,      /* QUIT was given, waiting for the deletions */
    POP3_CLOSING,     /* the last reply waits for room in the stream */
    POP3_DYING,       /* the client is gone, the store still works for it */
    POP3_OVER,        /* the task is back in its pool */
    POP3_STATES
};

enum pop3_listing { POP3_LIST_SIZES, POP3_LIST_UIDS, POP3_LIST_NONE };

/* Takes a message from the store to the stream, in pieces: while one half is
 * being sent the other is being read. Shared by all sessions; a session has one
 * only while it sends a message. */
struct pop3_buffer {
    struct list link; /* of the free ones */
    struct st_read read;
    struct pop3_session *session; /* NULL: given up during a read */
    uint32_t ready[2];            /* bytes in each half */
    uint32_t position;            /* in the half being sent */
    uint8_t sending;              /* 0 or 1 */
    uint8_t reading;
    bool busy; /* a read is under way */
    uint8_t bytes[2][POP3_PIECE_BYTES];
};

/* One session. Its stream is valid but in POP3_DYING and POP3_OVER. */
struct pop3_session {
    struct task task;
    struct dialogue dialogue;
    struct timer timer;
    struct net_address peer;
    struct limits_session limits;
    uint8_t state;
    uint8_t listing; /* enum pop3_listing */
    uint8_t errors;
    uint8_t wrong_passwords;
    uint8_t told;      /* messages that the log was told of */
    uint8_t mechanism; /* of AUTH, see pop3_auth.c */
    bool replied;      /* +OK before the message was sent */
    bool ended;        /* the peer will send nothing more */
    bool has_drop;     /* the union's second part is in use */
    union {
        struct account_login login; /* up to POP3_LOGIN */
        struct {                    /* from POP3_LOCK on */
            struct st_maildrop maildrop;
            struct st_delete deletion;
            struct list waiting; /* for a buffer */
            struct pop3_buffer *buffer;
            struct pop3_text text; /* of the message being sent */
            uint64_t offset;       /* read from the store so far */
            uint64_t sent;         /* to the stream so far */
            uint32_t index;        /* of the message, or of the next line */
            uint32_t deleted;      /* messages marked */
            uint64_t deleted_bytes;
            uint32_t retrieved; /* whole messages */
            uint32_t removed;   /* of the store */
        };
    };
    char line[POP3_LINE_BYTES];
};

/* ---- pop3_server.c ------------------------------------------------------ */

/* pop3_enter_state - the one way from state to state: logs it, starts the
 * timeout of the new one. */
void pop3_enter_state(struct pop3_session *session, enum pop3_state next);

/* pop3_say - sends a reply and counts it if it is an error. */
void pop3_say(struct pop3_session *session, enum pop3_reply reply);

/* pop3_check_errors - ends a session that makes nothing but errors, unless a
 * reply still waits: pop3_continue() looks again. */
void pop3_check_errors(struct pop3_session *session);

/* pop3_finish - sends a last reply and closes; the session may be over. */
void pop3_finish(struct pop3_session *session, enum pop3_reply reply);

/* pop3_abort - RST: a message could not be sent to its end. */
void pop3_abort(struct pop3_session *session);

/* pop3_continue - after something that was waited for: sends on, takes what the
 * stream has kept, or closes. Not from inside received(). */
void pop3_continue(struct pop3_session *session);

/* pop3_release - the store is done with a session that was dying. */
void pop3_release(struct pop3_session *session);

struct pop3_figures *pop3_count(void);

/* ---- pop3_command.c ----------------------------------------------------- */

/* pop3_take_command - one command line, or part of one, from data.
 * Returns how many bytes were used; 0 while a reply waits. */
size_t pop3_take_command(struct pop3_session *session, const uint8_t *data,
                         size_t len);

/* pop3_wipe_line - the line buffer, after a password was in it. */
void pop3_wipe_line(struct pop3_session *session);

/* ---- pop3_auth.c -------------------------------------------------------- */

/* pop3_auth_offered - whether passwords may come over this connection. */
bool pop3_auth_offered(void);

/* pop3_run_auth - AUTH (RFC 5034). */
void pop3_run_auth(struct pop3_session *session,
                   const struct dialogue_line *argument);

/* pop3_take_secret - like pop3_take_command(), for a response. */
size_t pop3_take_secret(struct pop3_session *session, const uint8_t *data,
                        size_t len);

/* ---- pop3_drop.c -------------------------------------------------------- */

/* pop3_begin_login - name and password are in session->login. */
void pop3_begin_login(struct pop3_session *session);

/* pop3_begin_update - QUIT: removes what is marked. */
void pop3_begin_update(struct pop3_session *session);

/* pop3_give_up - takes back what was asked of the store.
 * Returns false when it is at work on it: the session has to stay. */
bool pop3_give_up(struct pop3_session *session);

/* A message that is marked has its id negated in the list, which is the
 * session's own while it holds the lock. Marks are removed block by block, in a
 * commit each: a long list holds up nobody's deliveries. */
bool pop3_is_marked(const struct store_entry *entry);
void pop3_mark(struct pop3_session *session, struct store_entry *entry);
void pop3_unmark_all(struct pop3_session *session);

/* ---- pop3_log.c --------------------------------------------------------- */

/* pop3_log_message - a message was "retrieved", or "deleted". */
void pop3_log_message(struct pop3_session *session, int64_t mail_id,
                      const char *what);

/* pop3_log_session - the session is over, and had a maildrop. */
void pop3_log_session(const struct pop3_session *session);

/* ---- pop3_send.c -------------------------------------------------------- */

enum err pop3_send_init(unsigned buffers) MUST_CHECK;

/* pop3_send_listing - LIST or UIDL of all messages. */
void pop3_send_listing(struct pop3_session *session, enum pop3_listing listing);

/* pop3_send_message - RETR (POP3_ALL_LINES) or TOP of the index-th message. */
void pop3_send_message(struct pop3_session *session, uint32_t index,
                       uint64_t lines);

/* pop3_send_more - as much as the stream and the store have ready. */
void pop3_send_more(struct pop3_session *session);

/* pop3_send_stop - gives the buffer back, if there is one. */
void pop3_send_stop(struct pop3_session *session);

/* pop3_format_entry - "number size" resp. "number uid" with CRLF. */
void pop3_format_entry(struct text *text, const struct pop3_session *session,
                       uint32_t index, enum pop3_listing listing);

#endif
