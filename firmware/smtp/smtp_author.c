/* Users who are logged in: see smtp_author.h. */
#include "smtp/smtp_author.h"
#include "core/bytes.h"
#include "core/memory.h"

static struct {
    struct list free;
} state;

enum err smtp_author_module_init(unsigned count)
{
    struct smtp_author *author =
        memory_take("SMTPS users", count * sizeof(*author), 64);
    unsigned i;

    list_init(&state.free);
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
    bytes_wipe(author, sizeof(*author));
    list_init(&author->link);
    list_append(&state.free, &author->link);
}
