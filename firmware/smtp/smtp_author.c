/* Users who are logged in: see smtp_author.h. */
#include "smtp/smtp_author.h"
#include "core/bytes.h"
#include "core/memory.h"

static struct {
    struct list free, asked;
} state;

enum err smtp_author_module_init(unsigned count)
{
    struct smtp_author *author =
        memory_take("SMTPS users", count * sizeof(*author), 64);
    unsigned i;

    list_init(&state.free);
    list_init(&state.asked);
    if (author == NULL)
        return ERR_MEMORY;
    for (i = 0; i < count; i++) {
        list_init(&author[i].link);
        list_append(&state.free, &author[i].link);
    }
    return OK;
}

struct smtp_author *smtp_author_take(void)
{
    struct list *node = list_take_first(&state.free);

    return node != NULL ? LIST_ELEMENT(node, struct smtp_author, link) : NULL;
}

void smtp_author_give(struct smtp_author *author)
{
    list_remove(&author->link);
    bytes_wipe(author, sizeof(*author));
    list_init(&author->link);
    list_append(&state.free, &author->link);
}

void smtp_author_ask(struct smtp_author *author, struct smtp_session *session)
{
    author->asked = session;
    list_remove(&author->link);
    list_append(&state.asked, &author->link);
}

void smtp_author_answered(struct smtp_author *author)
{
    list_remove(&author->link);
}

struct smtp_session *smtp_author_oldest(void)
{
    return list_empty(&state.asked)
               ? NULL
               : LIST_ELEMENT(state.asked.next, struct smtp_author, link)
                     ->asked;
}
