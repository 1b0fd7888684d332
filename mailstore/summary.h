/* What lists show of a message, from its header; see summary.c. */
#ifndef MAILSTORE_SUMMARY_H
#define MAILSTORE_SUMMARY_H

#include "mailstore/store.h"

#define SUMMARY_NAME    128
#define SUMMARY_TO      256
#define SUMMARY_PREVIEW 200

/* Whether the conversation is that of another message in the store, if there is
 * one. */
enum summary_look_up { SUMMARY_IS_KNOWN, SUMMARY_BY_ID, SUMMARY_BY_SUBJECT };

struct summary {
    int64_t date_ms;
    int64_t thread_id;
    int64_t id_hash, subject_hash; /* 0: none */
    enum summary_look_up look_up;
    bool attachments;
    char from_name[SUMMARY_NAME];
    char from_address[USER_ADDRESS_BYTES];
    char to[SUMMARY_TO];
    char preview[SUMMARY_PREVIEW];
};

/* What of a message is in the store's own row of it. */
struct summary_of {
    int64_t message_id, received_ms;
    const char *subject;
};

/* summary_find - looks into the message's header: all but the preview, and
 * attachments as far as the header tells. A message that is not there any more
 * gives what its row says. Returns OK or the store's error. */
enum err summary_find(struct store *store, const struct summary_of *of,
                      struct summary *summary) MUST_CHECK;

/* summary_resolve - looks up the conversation where that has to be done. */
enum err summary_resolve(struct store *store, const struct summary_of *of,
                         struct summary *summary) MUST_CHECK;

#endif
