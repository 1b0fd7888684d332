/* mkusb --inspect: mailboxes and messages as lines on stdout. What a sender
 * chose (addresses, subjects) is shown without its control characters, so that
 * a mail cannot drive the terminal. */
#include "mailstore/store_mailbox.h"
#include "mailstore/store_queue.h"
#include "mailstore/store_usage.h"
#include "mailstore/slots.h"
#include "mkusb/read_stick.h"
#include "mkusb/say.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct inspection {
    const char *user; /* NULL: all */
    int64_t user_id;
    unsigned lines;
    bool damaged;
};

/* Control characters, also the C1 ones of UTF-8 (C2 80 .. C2 9F). */
void inspect_print_plain(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;
         at++) {
        bool c1 = at[0] == 0xC2 && at[1] >= 0x80 && at[1] <= 0x9F;

        if (*at < 0x20 || *at == 0x7F || c1)
            putchar('?');
        else
            putchar(*at);
        at += c1;
    }
}

void inspect_print_column(const char *text, size_t bytes)
{
    inspect_print_plain(text);
    for (size_t len = strlen(text); len < bytes; len++)
        putchar(' ');
}

static enum err print_mailbox(void *context,
                              const struct store_mailbox_info *info)
{
    struct inspection *inspection = context;

    if (inspection->user != NULL &&
        strcasecmp(inspection->user, info->user) != 0)
        return OK;
    /* Everybody has the same mailboxes: empty ones say nothing. */
    if (info->messages == 0 && strcmp(info->mailbox, "Inbox") != 0)
        return OK;
    if (inspection->lines++ == 0)
        printf("%-24s %-16s %10s %10s %14s\n", "USER", "MAILBOX", "MESSAGES",
               "UNREAD", "BYTES");
    inspect_print_column(info->user, 25);
    inspect_print_column(info->mailbox, 17);
    printf("%10" PRIu64 " %10" PRIu64 " %14" PRIu64 "\n", info->messages,
           info->unseen, info->bytes);
    return OK;
}

static void print_date(int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    char date[32] = "?";
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL)
        strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    printf("%-20s", date);
}

static enum err print_login(void *context, const char *user,
                            const struct store_login *login)
{
    struct inspection *inspection = context;

    if (inspection->user != NULL && strcasecmp(inspection->user, user) != 0)
        return OK;
    if (inspection->lines++ == 0)
        printf("\n%-24s %-20s %-8s %s\n", "USER", "LAST LOGIN (UTC)", "BY",
               "FROM");
    inspect_print_column(user, 25);
    print_date(login->time_ms);
    putchar(' ');
    inspect_print_column(login->service, 9);
    inspect_print_plain(login->address);
    putchar('\n');
    return OK;
}

/* N: not read, F: flagged, A: answered, P: passed on, D: draft. */
static void print_flags(uint8_t flags)
{
    printf(
        "%c%c%c%c%c ", flags & STORE_SEEN ? '-' : 'N',
        flags & STORE_FLAGGED ? 'F' : '-', flags & STORE_ANSWERED ? 'A' : '-',
        flags & STORE_FORWARDED ? 'P' : '-', flags & STORE_DRAFT ? 'D' : '-');
}

static enum err print_message(void *context,
                              const struct store_message_info *info)
{
    struct inspection *inspection = context;

    if (inspection->lines++ == 0)
        printf("\n%-5s %-16s %10s  %-20s %12s  %s\n", "FLAGS", "MAILBOX", "UID",
               "DATE (UTC)", "BYTES", "SENDER  SUBJECT");
    print_flags(info->flags);
    inspect_print_column(info->mailbox, 17);
    printf("%10" PRIu32 "  ", info->uid);
    print_date(info->received_ms);
    printf(" %12" PRIu64 "  <", info->bytes);
    inspect_print_plain(info->sender);
    fputs(">  ", stdout);
    inspect_print_plain(info->subject);
    putchar('\n');
    return OK;
}

/* Who elsewhere still has to get something. */
static enum err print_waiting(void *context,
                              const struct store_queue_info *info)
{
    static const char *const states[] = {"waits", "held", "given up"};
    struct inspection *inspection = context;

    if (inspection->lines++ == 0)
        printf("\n%-8s %12s  %-8s %5s  %-20s  %s\n", "QUEUE", "MESSAGE",
               "STATE", "TRIED", "NEXT (UTC)", "SENDER  RECIPIENT  REPLY");
    printf("%-8" PRId64 " %12" PRId64 "  %-8s %5" PRIu32 "  ", info->queue_id,
           info->message_id, info->state < 3 ? states[info->state] : "?",
           info->attempts);
    print_date(info->next_ms ? info->next_ms : info->received_ms);
    fputs("  <", stdout);
    inspect_print_plain(info->sender);
    fputs(">  <", stdout);
    inspect_print_plain(info->recipient);
    fputs(">  ", stdout);
    inspect_print_plain(info->reply);
    putchar('\n');
    return OK;
}

static void print_head(struct store *store)
{
    static const char *const key[] = {"hostname", "domains", "address",
                                      "store_id"};
    struct store_figures figures;
    char value[SETTINGS_VALUE_BYTES];
    char used[SAY_SIZE_BYTES], all[SAY_SIZE_BYTES];

    for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
        if (store_setting_get(store, key[i], value, sizeof(value)) == OK) {
            printf("%s: ", key[i]);
            inspect_print_plain(value);
            putchar('\n');
        }
    if (store_figures(store, &figures) == OK)
        printf("store: %" PRIu64 " users, %" PRIu64 " messages, %s of %s "
               "used\n\n",
               figures.users, figures.messages,
               say_size(figures.used_bytes, used),
               say_size(figures.database_bytes, all));
}

static void print_version(const struct slots *slots, enum slot slot,
                          const char *what)
{
    struct program_label label;

    if (slots_get_label(slots, slot, &label) == OK && label.version[0])
        printf("%s: %s\n", what, label.version);
}

static void print_programs(struct media *media)
{
    struct slots slots;

    if (slots_find(&slots, media) != OK)
        return;
    print_version(&slots, SLOT_NOW, "program");
    print_version(&slots, SLOT_PREVIOUS, "previous program");
}

static enum err find_user(void *context, int64_t user_id, const char *name)
{
    struct inspection *inspection = context;

    if (strcasecmp(inspection->user, name) == 0)
        inspection->user_id = user_id;
    return OK;
}

/* Says of a list that it could not be read; what comes behind it may be. */
static void end_list(struct store *store, struct inspection *inspection,
                     enum err err, const char *what)
{
    inspection->lines = 0;
    if (err == OK)
        return;
    fflush(stdout);
    say_refused("%s cannot be read: %s (%s)", what, err_text(err),
                store_message(store));
    inspection->damaged = true;
}

static enum err print_store(struct store *store, struct inspection *inspection)
{
    print_head(store);
    if (inspection->user != NULL) {
        enum err err = store_list_users(store, find_user, inspection);

        if (err != OK)
            return say_refused("the users cannot be read: %s (%s)",
                               err_text(err), store_message(store));
        if (inspection->user_id == 0)
            return say_refused("there is no user \"%s\" in this store",
                               inspection->user);
    }
    end_list(store, inspection,
             store_list_mailboxes(store, print_mailbox, inspection),
             "the list of mailboxes");
    if (inspection->user == NULL)
        end_list(store, inspection,
                 store_list_queue(store, 0, print_waiting, inspection),
                 "the queue");
    end_list(store, inspection,
             store_list_logins(store, print_login, inspection),
             "the list of logins");
    if (inspection->user != NULL)
        end_list(store, inspection,
                 store_list_messages(store, inspection->user_id, print_message,
                                     inspection),
                 "the list of messages");
    return OK;
}

enum err inspect_stick(const struct options *options)
{
    struct inspection inspection = {.user = options->user};
    static struct read_stick stick;
    enum err err = read_stick_open(&stick, options->target);

    if (err == OK)
        err = read_stick_open_store(&stick, true);
    if (err == OK && !options->log)
        print_programs(&stick.media.media);
    if (err == OK)
        err = options->log ? inspect_log(stick.store, options)
                           : print_store(stick.store, &inspection);
    if (err == OK && options->export_folder != NULL)
        err = export_messages(stick.store, options->export_folder,
                              options->maildir, inspection.user_id);
    read_stick_close(&stick);
    return err == OK && inspection.damaged ? ERR_REFUSED : err;
}
