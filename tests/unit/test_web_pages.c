/* Pages of the webmail and of administrators that need no server: who an answer
 * goes to; the log from page to page. */
#include "admin/admin_page.h"
#include "check.h"
#include "mailstore/store_log.h"
#include "userdb/directory.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- What pages stand on ------------------------------------------------- */

static char page[1 << 20];
static size_t page_bytes;
static const char *params[8][2];

void http_write(struct http_exchange *x, const void *data, size_t len)
{
    (void)x;
    memcpy(page + page_bytes, data, len);
    page_bytes += len;
    page[page_bytes] = '\0';
}

const char *http_param_or(const struct http_exchange *x, const char *name,
                          const char *otherwise)
{
    (void)x;
    for (size_t i = 0; i < 8 && params[i][0] != NULL; i++)
        if (strcmp(params[i][0], name) == 0)
            return params[i][1];
    return otherwise;
}

int64_t http_param_number(const struct http_exchange *x, const char *name,
                          int64_t otherwise)
{
    const char *value = http_param_or(x, name, NULL);

    return value != NULL ? strtoll(value, NULL, 10) : otherwise;
}

int64_t web_user_id(const struct http_exchange *x)
{
    (void)x;
    return 1;
}

bool directory_may_send_as(int64_t user_id, const char *address, size_t len,
                           const char *domain, size_t domain_len)
{
    (void)domain;
    return user_id == 1 && len == 4 && domain_len == 1 &&
           strncmp(address, "anna", 4) == 0;
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

/* ---- Answers --------------------------------------------------------------
 */

static struct web_work work;

static void answer(const char *header, enum web_answer how)
{
    memset(&work, 0, sizeof(work));
    work.header_bytes =
        (size_t)snprintf(work.header, sizeof(work.header), "%s\r\n", header);
    work.form.answer = how;
    web_answer_fill(NULL, &work, &work.form);
}

static void test_people(void)
{
    answer("From: Bert <bert@b>\r\nTo: anna@o, cleo@c, Xcleo@c, bert@b.c\r\n"
           "Cc: \"D, E\" <d@e>, CLEO@C, <bert@b>\r\n",
           WEB_REPLY_ALL);
    CHECK(strcmp(work.form.to, "Bert <bert@b>") == 0);
    CHECK(strcmp(work.form.cc, "cleo@c, Xcleo@c, bert@b.c, \"D, E\" <d@e>") ==
          0);
    CHECK(strcmp(work.form.from, "anna@o") == 0 && !work.form.cut);
}

/* Whoever writes to very many must not hold up the server when somebody
 * answers. */
static void test_many_people(void)
{
    static char header[WEB_HEADER_BYTES];
    size_t len = (size_t)sprintf(header, "From: b@b\r\nReply-To: ");
    clock_t begun = clock();

    for (unsigned i = 0; len < sizeof(header) - 40; i++)
        len += (size_t)sprintf(header + len, "%x@a.b,\r\n ", 4096 + i);
    answer(header, WEB_REPLY);
    CHECK(work.form.cut && strlen(work.form.to) > WEB_PEOPLE_BYTES - 20);
    CHECK(strstr(work.form.to, "1000@a.b, 1001@a.b, ") == work.form.to);
    CHECK(clock() - begun < CLOCKS_PER_SEC / 4);
}

/* A long subject is not cut within a character. */
static void test_subject(void)
{
    static char header[3000];
    size_t len, ends = 0;

    for (unsigned more = 0; more < 3; more++) {
        len = (size_t)sprintf(header, "Subject: %.*s", (int)more, "xx");
        for (unsigned i = 0; i < 400; i++)
            len += (size_t)sprintf(header + len, "\u20ac%s",
                                   i % 20 == 19 ? "\r\n " : "");
        sprintf(header + len, "\r\n");
        answer(header, WEB_REPLY);
        len = strlen(work.form.subject);
        ends += len > 890 && strcmp(work.form.subject + len - 3, "\u20ac") == 0;
    }
    CHECK(ends == 3);
}

/* ---- The log --------------------------------------------------------------
 */

void admin_begin(struct http_exchange *x, struct store *store, unsigned status,
                 const char *title)
{
    (void)x;
    (void)store;
    (void)status;
    (void)title;
    page_bytes = 0;
}

void admin_end(struct http_exchange *x)
{
    (void)x;
}

void admin_table(struct http_exchange *x, const char *caption,
                 const char *headings)
{
    (void)x;
    (void)caption;
    (void)headings;
}

void admin_table_end(struct http_exchange *x)
{
    (void)x;
}

void admin_time(struct http_exchange *x, int64_t unix_ms)
{
    (void)x;
    (void)unix_ms;
}

void admin_note(struct http_exchange *x, bool bad, const char *sentence)
{
    (void)x;
    (void)bad;
    (void)sentence;
}

bool store_log_contains(const struct store_log_line *line, const char *text)
{
    return strstr(line->text, text) != NULL;
}

/* A message of 450 lines, among others. */
enum err store_log_list(struct store *store,
                        const struct store_log_query *query,
                        enum err (*each)(void *context,
                                         const struct store_log_line *line),
                        void *context)
{
    enum err err = OK;

    (void)store;
    for (int64_t i = 1; i <= 900 && err == OK; i++) {
        int64_t id = query->backward ? 901 - i : i;
        struct store_log_line line = {.log_id = id, .mail_id = id % 2 * 7};

        if (id < query->from || id > query->to ||
            (query->mail_id != 0 && query->mail_id != line.mail_id))
            continue;
        snprintf(line.text, sizeof(line.text), "line=%lld.", (long long)id);
        err = each(context, &line);
    }
    return err;
}

/* Follows the link to the page after; false: there is none. */
static bool follow(const char *label)
{
    static char values[8][20];
    char *at = strstr(page, "/admin/log?find="), *end = strstr(page, label);
    size_t i = 0;

    if (end == NULL)
        return false;
    while (strstr(at + 1, "/admin/log?find=") != NULL)
        at = strstr(at + 1, "/admin/log?find=");
    memset(params, 0, sizeof(params));
    for (; (at = strstr(at, "&amp;")) != NULL && at < end && i < 8; i++) {
        static const char *const names[] = {"message", "from", "before"};

        at += 5;
        for (size_t n = 0; n < 3; n++)
            if (strncmp(at, names[n], strlen(names[n])) == 0)
                params[i][0] = names[n];
        snprintf(values[i], sizeof(values[i]), "%lld",
                 strtoll(strchr(at, '=') + 1, NULL, 10));
        params[i][1] = values[i];
    }
    return true;
}

/* How many lines all the pages have, from one to the next; each once. */
static unsigned count_lines(const char *label)
{
    static bool seen[901];
    unsigned count = 0;

    memset(seen, 0, sizeof(seen));
    do {
        admin_log_page(NULL, NULL);
        for (char *at = page; (at = strstr(at, "line=")) != NULL; at++) {
            long id = strtol(at + 5, NULL, 10);

            count += !seen[id];
            CHECK(!seen[id]);
            seen[id] = true;
        }
    } while (follow(label) && count < 2000);
    return count;
}

static void test_log(void)
{
    memset(params, 0, sizeof(params));
    CHECK(count_lines("Older lines") == 900);
    memset(params, 0, sizeof(params));
    params[0][0] = "message";
    params[0][1] = "7";
    CHECK(count_lines("Later lines") == 450);
}

int main(void)
{
    test_people();
    test_many_people();
    test_subject();
    test_log();
    return check_report();
}
