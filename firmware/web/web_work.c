/* Messages in the hands of pages: see web_work.h. */
#include "web/web_work.h"
#include "core/check.h"
#include "core/list.h"
#include "core/memory.h"
#include "store/st_job.h"
#include <string.h>

static struct list unused;

enum err web_work_init(void)
{
    struct web_work *work = memory_take("webmail", ST_JOBS * sizeof(*work), 64);
    unsigned i;

    list_init(&unused);
    if (work == NULL)
        return ERR_MEMORY;
    for (i = 0; i < ST_JOBS; i++) {
        list_init(&work[i].link);
        list_append(&unused, &work[i].link);
    }
    return OK;
}

struct web_work *web_work_take(struct store *store)
{
    struct list *node = list_take_first(&unused);
    struct web_work *work;

    /* As many as there are jobs. */
    ASSERT(node != NULL);
    work = LIST_ELEMENT(node, struct web_work, link);
    work->store = store;
    work->written_bytes = 0;
    return work;
}

void web_work_give(struct web_work *work)
{
    web_envelope_end(&work->envelope);
    list_append(&unused, &work->link);
}

static enum err keep_row(void *context, const struct store_row *row)
{
    struct web_work *work = context;

    work->message_id = row->message_id;
    work->thread_id = row->thread_id;
    work->received_ms = row->received_ms;
    work->bytes = (uint32_t)row->bytes;
    work->flags = row->flags;
    return OK;
}

/* Between two windows of a message others go on: of a long one, what is done
 * with all its windows takes long, however it is taken apart. */
static int read_message(const struct mime_source *source, uint32_t offset,
                        void *buffer, size_t bytes)
{
    const struct web_work *work = source->context;

    st_job_pause();
    return store_message_read(work->store, work->message_id, offset, buffer,
                              bytes);
}

void web_source(struct web_work *work, int64_t message_id, uint32_t bytes)
{
    work->message_id = message_id;
    work->bytes = bytes;
    memset(&work->source, 0, sizeof(work->source));
    work->source.read = read_message;
    work->source.context = work;
    work->source.bytes = bytes;
}

enum err web_open(struct web_work *work, int64_t user_id,
                  const struct store_key *key, bool parse)
{
    enum err err = store_row(work->store, user_id, key, keep_row, work);
    int got = 0;

    work->key = *key;
    work->header_bytes = 0;
    if (err != OK)
        return err;
    while (work->header_bytes < sizeof(work->header)) {
        got = store_message_read(work->store, work->message_id,
                                 work->header_bytes,
                                 work->header + work->header_bytes,
                                 sizeof(work->header) - work->header_bytes);
        if (got <= 0)
            break;
        work->header_bytes += (size_t)got;
    }
    if (got < 0)
        return (enum err)got;
    web_source(work, work->message_id, work->bytes);
    if (!parse)
        return OK;
    work->mime.parts = work->parts;
    work->mime.part_room = WEB_PARTS;
    work->mime.text = work->texts;
    work->mime.text_room = sizeof(work->texts);
    return mime_parse(&work->mime, &work->source);
}

void web_open_header(struct web_work *work, const struct mime_part *part)
{
    size_t bytes = part->header_bytes;
    int got;

    if (bytes > sizeof(work->header))
        bytes = sizeof(work->header);
    got = work->source.read(&work->source, part->header, work->header, bytes);
    work->header_bytes = got > 0 ? (size_t)got : 0;
}

struct mime_span web_field(const struct web_work *work, const char *name)
{
    struct mime_span value = {"", 0};

    (void)mime_field(work->header, work->header_bytes, name, &value);
    return value;
}

const char *web_subject(struct web_work *work)
{
    (void)mime_text(web_field(work, "Subject"), work->words,
                    sizeof(work->words));
    return work->words;
}
