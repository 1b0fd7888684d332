/* The recipients of a transaction.
 *
 * Most mail has a few, for which the session has room; a longer list lies in
 * one of a pool of long ones, so that a session stays small. While all of the
 * long ones are in use, a further recipient is told to come later, as behind
 * the hundredth (RFC 5321 4.5.3.1.10). */
#include "core/memory.h"
#include "smtp/smtp_session.h"
#include <string.h>

struct smtp_long_list {
    struct list link; /* of the free ones */
    int64_t users[SMTP_RECIPIENTS_MAX];
};

static struct {
    struct list free;
} state;

enum err smtp_recipients_init(unsigned lists)
{
    struct smtp_long_list *list =
        memory_take("SMTPS recipients", lists * sizeof(*list), 64);
    unsigned i;

    list_init(&state.free);
    if (list == NULL)
        return ERR_MEMORY;
    for (i = 0; i < lists; i++) {
        list_init(&list[i].link);
        list_append(&state.free, &list[i].link);
    }
    return OK;
}

int64_t *smtp_recipients(struct smtp_session *session)
{
    return session->many != NULL ? session->many->users : session->few;
}

enum smtp_reply smtp_add_recipient(struct smtp_session *session, int64_t user)
{
    int64_t *users = smtp_recipients(session);
    unsigned i;

    for (i = 0; i < session->user_count; i++)
        if (users[i] == user)
            return SMTP_RECIPIENT_OK;
    if (session->user_count == SMTP_RECIPIENTS_MAX)
        return SMTP_TOO_MANY_RECIPIENTS;
    if (session->user_count == SMTP_RECIPIENTS_FEW && session->many == NULL) {
        struct list *node = list_take_first(&state.free);

        if (node == NULL)
            return SMTP_TOO_MANY_RECIPIENTS;
        session->many = LIST_ELEMENT(node, struct smtp_long_list, link);
        memcpy(session->many->users, session->few, sizeof(session->few));
        users = session->many->users;
    }
    users[session->user_count++] = user;
    return SMTP_RECIPIENT_OK;
}

void smtp_clear_recipients(struct smtp_session *session)
{
    if (session->many != NULL)
        list_append(&state.free, &session->many->link);
    session->many = NULL;
    session->user_count = 0;
}
