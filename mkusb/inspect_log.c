/* mkusb --inspect --log: lines of the log, all of them, or those about one
 * message or one user. A message may be named by its id in the store or by its
 * transaction id, which stands in its Received line: what is looked for are the
 * messages that some line names, and then all lines about these. */
#include "core/date.h"
#include "mailstore/store_log.h"
#include "mkusb/read_stick.h"
#include "mkusb/say.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct log_inspection {
    const char *message, *user; /* NULL: any */
    int64_t *ids;               /* of the messages that were found */
    size_t count, room;
    uint64_t printed;
};

static enum err print_line(const struct store_log_line *line)
{
    char date[DATE_TEXT_BYTES], mail[24] = "-";

    if (line->mail_id != 0)
        snprintf(mail, sizeof(mail), "#%" PRId64, line->mail_id);
    printf("%s  ", date_format(line->time_ms, date));
    inspect_print_column(line->module, 9);
    printf("%8s  ", mail);
    inspect_print_plain(line->text);
    putchar('\n');
    return OK;
}

static bool is_wanted(const struct log_inspection *inspection,
                      const struct store_log_line *line)
{
    if (inspection->message != NULL)
        return store_log_has_id(line, inspection->message);
    return inspection->user == NULL ||
           store_log_names_user(line, inspection->user);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;

    return first < second ? -1 : first > second;
}

static enum err collect(void *context, const struct store_log_line *line)
{
    struct log_inspection *inspection = context;

    if (line->mail_id == 0 || !is_wanted(inspection, line))
        return OK;
    if (inspection->count == inspection->room) {
        size_t room = inspection->room * 2 + 64;
        int64_t *ids = realloc(inspection->ids, room * sizeof(*ids));

        if (ids == NULL)
            return ERR_MEMORY;
        inspection->ids = ids;
        inspection->room = room;
    }
    inspection->ids[inspection->count++] = line->mail_id;
    return OK;
}

static enum err print_wanted(void *context, const struct store_log_line *line)
{
    struct log_inspection *inspection = context;
    bool found = line->mail_id != 0 && inspection->count > 0 &&
                 bsearch(&line->mail_id, inspection->ids, inspection->count,
                         sizeof(*inspection->ids), compare_ids) != NULL;

    if (!found && !is_wanted(inspection, line))
        return OK;
    inspection->printed++;
    return print_line(line);
}

static enum err list_log(struct store *store, struct log_inspection *inspection)
{
    struct store_log_query query = {.to = INT64_MAX};
    const char *message = inspection->message;
    enum err err = OK;

    if (message != NULL && message[strspn(message, "0123456789")] == '\0') {
        query.mail_id = strtoll(message, NULL, 10);
        inspection->message = NULL;
    } else if (message != NULL || inspection->user != NULL) {
        err = store_log_list(store, &query, collect, inspection);
    }
    if (inspection->count > 0)
        qsort(inspection->ids, inspection->count, sizeof(*inspection->ids),
              compare_ids);
    return err == OK ? store_log_list(store, &query, print_wanted, inspection)
                     : err;
}

enum err inspect_log(struct store *store, const struct options *options)
{
    struct log_inspection inspection = {.message = options->message,
                                        .user = options->user};
    enum err err = list_log(store, &inspection);

    free(inspection.ids);
    if (err != OK)
        return say_refused("the log cannot be read: %s (%s)", err_text(err),
                           store_message(store));
    if (inspection.printed > 0)
        return OK;
    if (options->message != NULL)
        return say_refused("no line of the log is about message %s",
                           options->message);
    if (options->user != NULL)
        return say_refused("no line of the log is about user %s",
                           options->user);
    printf("the log is empty\n");
    return OK;
}
