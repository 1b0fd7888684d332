/* Mail clients on the peers, and the ledger of what they were promised.
 *
 * The ledger outlives power cuts. For every message it knows what was answered;
 * for every message and user, whether a deletion was asked for or answered.
 * From that follows what must, may and must not be in a maildrop. */
#ifndef SIM_DIALOGUE_H
#define SIM_DIALOGUE_H

#include "tests/sim/peer.h"

#define SIM_USERS    4
#define SIM_DOMAIN   "sim.example"
#define SIM_PASSWORD "correct horse"

/* ---- Ledger ------------------------------------------------------------ */

enum sim_answer {
    SIM_UNSENT,   /* the end of the data was never sent */
    SIM_UNKNOWN,  /* sent, and not answered, or answered 4xx */
    SIM_ACCEPTED, /* answered 250 */
};

enum sim_deletion { SIM_KEPT, SIM_MAYBE_DELETED, SIM_DELETED };

struct sim_message {
    uint32_t size;  /* about */
    uint32_t users; /* bit mask of the recipients that were accepted */
    enum sim_answer answer;
    unsigned boot; /* in which it was answered */
    uint64_t answered_ns;
    enum sim_deletion deletion[SIM_USERS];
    uint64_t uid[SIM_USERS]; /* hash of its UIDL, 0: not seen yet */
};

/* sim_ledger_start - an empty one, in the parent, once per run. */
void sim_ledger_start(void);
unsigned sim_ledger_new(uint32_t size);
struct sim_message *sim_ledger_message(unsigned number);
unsigned sim_ledger_count(void);

/* sim_message_text - what was sent as message `number`; free() it. */
char *sim_message_text(unsigned number, size_t *len);

/* sim_message_number - checks a message as it came out: trace header lines
 * before it, and then byte for byte what was sent to that user. Returns its
 * number; ends the run when it differs. */
unsigned sim_message_number(unsigned user, const char *text, size_t len);

/* sim_ledger_check_drop - `seen` are the numbers of all messages in the
 * maildrop of a user who logged in at (boot, ns). */
void sim_ledger_check_drop(unsigned user, const unsigned *seen, size_t count,
                           uint64_t login_ns);

/* sim_ledger_check_whole - messages without an answer are there for all of
 * their recipients or for none; after drops of all users were checked. */
void sim_ledger_check_whole(void);

/* ---- Lines ------------------------------------------------------------- */

#define SIM_LINE_BYTES 2048

struct sim_lines {
    char line[SIM_LINE_BYTES];
    size_t len;
};

/* sim_lines_take - feeds bytes; calls each(context, line, len) for every line,
 * without CRLF and with a NUL behind it. */
void sim_lines_take(struct sim_lines *lines, const uint8_t *data, size_t len,
                    void (*each)(void *context, const char *line, size_t len),
                    void *context);

/* ---- SMTP -------------------------------------------------------------- */

enum sim_smtp {
    SMTP_GREETING,
    SMTP_EHLO,
    SMTP_MAIL,
    SMTP_RCPT,
    SMTP_DATA,
    SMTP_END,  /* of the data */
    SMTP_RSET, /* and NOOP: the transaction begins afterwards */
    SMTP_QUIT,
    SMTP_STEPS,
};

struct sim_sender {
    /* Set by the test. */
    struct sim_peer *peer;
    unsigned wanted;     /* messages to get accepted; then it is done */
    uint32_t small, big; /* sizes; one in big_one_in is a big one */
    unsigned big_one_in;
    uint64_t pause_ns; /* between sessions, at most */
    uint32_t rude_ppm; /* sessions that end by RST in the middle */
    bool patient;      /* 4xx and lost connections: tries again */
    void (*done)(struct sim_sender *sender);
    /* Its own. */
    struct sim_random random;
    struct sim_event start;
    struct sim_tcp *tcp;
    struct sim_lines lines;
    enum sim_smtp expected[512];
    unsigned expected_in, expected_out;
    unsigned left; /* messages in this session */
    unsigned message, rcpt_user, accepted_rcpts;
    uint32_t rcpts, rcpts_asked;
    bool pipelined, refused, rude, finished, quitting;
    unsigned accepted, sessions;
    unsigned codes[600]; /* how often each was answered */
    /* What was answered last at each step. */
    int code[SMTP_STEPS];
    char text[SMTP_STEPS][128];
};

/* sim_sender_start - begins after delay_ns; index makes its chance. */
void sim_sender_start(struct sim_sender *sender, unsigned index,
                      uint64_t delay_ns);

/* ---- POP3 -------------------------------------------------------------- */

enum sim_pop3 {
    POP3_GREETING,
    POP3_USER,
    POP3_PASS,
    POP3_STAT,
    POP3_LIST,
    POP3_UIDL,
    POP3_RETR,
    POP3_DELE,
    POP3_RSET,
    POP3_QUIT,
    POP3_STEPS,
};

struct sim_reader_entry {
    uint32_t size;
    uint64_t uid;
    unsigned message;
    bool deleted;
};

struct sim_reader {
    /* Set by the test. */
    struct sim_peer *peer;
    unsigned user;
    unsigned wanted;     /* whole sessions; then it is done */
    uint32_t delete_ppm; /* messages that it deletes */
    uint64_t pause_ns;
    uint32_t rude_ppm;  /* sessions without QUIT */
    uint32_t pause_ppm; /* messages in which it takes nothing for a while */
    bool patient;
    void (*done)(struct sim_reader *reader);
    /* Its own. */
    struct sim_random random;
    struct sim_event start, wake;
    struct sim_tcp *tcp;
    struct sim_lines lines;
    enum sim_pop3 step;
    bool in_text; /* of a multi-line answer */
    uint64_t login_ns;
    struct sim_reader_entry *entries;
    size_t count, room, at;
    unsigned ahead; /* RETR commands sent in advance */
    unsigned stat_count;
    uint64_t stat_bytes;
    char *text;
    size_t text_len, text_room;
    bool rude, finished, login_refused;
    unsigned sessions_done, sessions;
    uint64_t octets;
    unsigned temporary; /* -ERR [SYS/TEMP] answers */
    bool ok[POP3_STEPS];
    char answer[POP3_STEPS][128];
};

void sim_reader_start(struct sim_reader *reader, unsigned index,
                      uint64_t delay_ns);

#endif
