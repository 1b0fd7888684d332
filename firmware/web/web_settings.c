/* What users set for themselves.
 *
 *   /settings         name and signature, password, answers while away
 *   /settings/rules   what is done to new mail: web_rules.c
 *
 * Each form says by its button's value which one it is. */
#include "account/account.h"
#include "account/account_change.h"
#include "core/bytes.h"
#include "core/date.h"
#include "store/st_job.h"
#include "userdb/directory.h"
#include "web/web.h"
#include "web/web_page.h"
#include "web/web_work.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD_MIN 8
#define DAY_MS       INT64_C(86400000)

/* ---- Name and signature ------------------------------------------------- */

struct choice {
    int64_t user_id;
    const char *name, *signature;
};

static enum err put_choice(void *context, struct store *store)
{
    const struct choice *choice = context;
    enum err err = store_preference_put(store, choice->user_id,
                                        STORE_DISPLAY_NAME, choice->name);

    if (err == OK)
        err = store_preference_put(store, choice->user_id, STORE_SIGNATURE,
                                   choice->signature);
    return err;
}

/* Line ends as forms send them become those of texts. Returns whether all of it
 * had room. */
static bool copy_lines(char *to, size_t room, const char *from)
{
    size_t len = 0;

    for (; *from != '\0' && len + 1 < room; from++)
        if (*from != '\r')
            to[len++] = *from;
    to[len] = '\0';
    return *from == '\0';
}

/* Whether the form with this button comes again, for what was typed into it. */
static bool again(const struct http_exchange *x, const char *what)
{
    return http_is_post(x) && strcmp(http_param_or(x, "do", ""), what) == 0;
}

static const char *save_choice(struct http_exchange *x, struct web_work *work)
{
    struct choice choice = {.user_id = web_user_id(x),
                            .name = http_param_or(x, "name", ""),
                            .signature = work->choice};
    enum err err = copy_lines(work->choice, sizeof(work->choice),
                              http_param_or(x, "signature", ""))
                       ? st_job_write(put_choice, &choice)
                       : ERR_TOO_BIG;

    if (err == OK)
        return NULL;
    return err == ERR_TOO_BIG || err == ERR_INVALID
               ? "Name or signature is too long, or has characters that are "
                 "none."
               : "The store cannot save this now: try again.";
}

/* In work->words and work->choice. */
static void read_choice(struct http_exchange *x, struct web_work *work)
{
    const struct user *user;

    if (store_preference_get(work->store, web_user_id(x), STORE_DISPLAY_NAME,
                             work->words, sizeof(work->words)) != OK ||
        work->words[0] == '\0') {
        user = directory_user_by_id(web_user_id(x));
        (void)snprintf(work->words, sizeof(work->words), "%s",
                       user != NULL ? user->full_name : "");
    }
    if (store_preference_get(work->store, web_user_id(x), STORE_SIGNATURE,
                             work->choice, sizeof(work->choice)) != OK)
        work->choice[0] = '\0';
}

static void choice_form(struct http_exchange *x, struct web_work *work)
{
    const char *name = work->words, *signature = work->choice;

    if (again(x, "you")) {
        name = http_param_or(x, "name", "");
        signature = http_param_or(x, "signature", "");
    } else {
        read_choice(x, work);
    }
    html(x, "<section><h2>You</h2><form method=\"post\" action=\"/settings\">");
    web_csrf(x);
    html(x,
         "<p class=\"field\"><label for=\"name\">Your name</label>"
         "<input id=\"name\" name=\"name\" type=\"text\" maxlength=\"120\" "
         "autocomplete=\"name\" value=\"%s\"></p>",
         name);
    html(x,
         "<p class=\"field\"><label for=\"signature\">Signature</label>"
         "<textarea id=\"signature\" name=\"signature\" rows=\"4\" "
         "maxlength=\"4000\">\n%s</textarea></p>"
         "<button class=\"main\" name=\"do\" value=\"you\">Save</button>"
         "</form></section>",
         signature);
}

/* ---- Password ----------------------------------------------------------- */

/* One request of an account, and the page that waits for it. */
struct waiting {
    struct st_job *job;
    bool done;
};

static void login_done(struct account_login *login)
{
    struct waiting *waiting = login->context;

    waiting->done = true;
    st_job_wake(waiting->job);
}

static void change_done(struct account_change *change)
{
    struct waiting *waiting = change->context;

    waiting->done = true;
    st_job_wake(waiting->job);
}

/* Who has gone gets no answer, but what was asked has to end. */
static void wait_done(struct http_exchange *x, struct waiting *waiting)
{
    while (!waiting->done)
        if (http_gone(x))
            st_job_pause();
        else
            st_job_wait(waiting->job);
}

/* The brake on guesses holds here as at any login. */
static const char *check_old(struct http_exchange *x, struct web_work *work)
{
    struct waiting waiting = {.job = http_job(x)};
    struct account_login *login = &work->login;

    memset(login, 0, sizeof(*login));
    (void)snprintf(login->name, sizeof(login->name), "%s", http_user(x)->name);
    (void)snprintf(login->password, sizeof(login->password), "%s",
                   http_param_or(x, "old", ""));
    http_peer(x, &login->peer);
    login->service = "web";
    login->done = login_done;
    login->context = &waiting;
    account_login(login);
    wait_done(x, &waiting);
    bytes_wipe(login->password, sizeof(login->password));
    if (login->result == OK && login->user_id == web_user_id(x))
        return NULL;
    return login->result == ERR_REFUSED
               ? "The present password is not right: nothing is changed."
               : "The password cannot be checked now: try again.";
}

static const char *put_password(struct http_exchange *x, struct web_work *work,
                                const char *password)
{
    const struct user *user = directory_user_by_id(web_user_id(x));
    struct waiting waiting = {.job = http_job(x)};
    struct account_change *change = &work->change;

    if (user == NULL)
        return "There is no such user any more.";
    memset(change, 0, sizeof(*change));
    change->user = *user;
    (void)snprintf(change->password, sizeof(change->password), "%s", password);
    change->done = change_done;
    change->context = &waiting;
    account_change(change);
    wait_done(x, &waiting);
    if (change->result != OK)
        return "The store cannot save this now: try again.";
    http_login_renew(x);
    return NULL;
}

static const char *save_password(struct http_exchange *x, struct web_work *work)
{
    const char *password = http_param_or(x, "new", "");
    const char *why;

    if (strlen(password) < PASSWORD_MIN)
        return "The new password is too short: take 8 characters or more.";
    if (strlen(password) >= ACCOUNT_PASSWORD_BYTES)
        return "The new password is too long.";
    if (strcmp(password, http_param_or(x, "again", "")) != 0)
        return "The two new passwords are not the same: type them again.";
    why = check_old(x, work);
    return why != NULL ? why : put_password(x, work, password);
}

static void password_form(struct http_exchange *x)
{
    static const char *const fields[][3] = {
        {"old", "Present password", "current-password"},
        {"new", "New password", "new-password"},
        {"again", "New password again", "new-password"}};
    unsigned i;

    html(x, "<section><h2>Password</h2>"
            "<form method=\"post\" action=\"/settings\">");
    web_csrf(x);
    for (i = 0; i < 3; i++)
        html(x,
             "<p class=\"field\"><label for=\"pw-%s\">%s</label>"
             "<input id=\"pw-%s\" name=\"%s\" type=\"password\" "
             "autocomplete=\"%s\" required></p>",
             fields[i][0], fields[i][1], fields[i][0], fields[i][0],
             fields[i][2]);
    html(x, "<p class=\"hint\">It is also that of your mail programs. Other "
            "browsers are logged out.</p>"
            "<button class=\"main\" name=\"do\" value=\"password\">Change "
            "password</button></form></section>");
}

/* ---- Away --------------------------------------------------------------- */

/* "2026-11-26", as browsers send it; 0: none is said; -1: it is none. */
static int64_t read_day(const char *text)
{
    struct date date;
    char *end;

    if (*text == '\0')
        return 0;
    memset(&date, 0, sizeof(date));
    date.year = (int)strtoul(text, &end, 10);
    if (*end != '-')
        return -1;
    date.month = (int)strtoul(end + 1, &end, 10);
    if (*end != '-')
        return -1;
    date.day = (int)strtoul(end + 1, &end, 10);
    if (*end != '\0' || date.year < 1970 || date.year > 9999 ||
        date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31)
        return -1;
    return date_to_unix(&date);
}

static void write_day(struct http_exchange *x, const char *name,
                      const char *label, int64_t unix_ms)
{
    struct date date;

    html(x,
         "<p class=\"field\"><label for=\"%s\">%s</label>"
         "<input id=\"%s\" name=\"%s\" type=\"date\" value=\"",
         name, label, name, name);
    date_of(unix_ms, &date);
    if (unix_ms > 0)
        html(x, "%04d-%02d-%02d", date.year, date.month, date.day);
    html(x, "\"></p>");
}

struct away {
    int64_t user_id;
    const struct store_vacation *vacation;
};

static enum err put_away(void *context, struct store *store)
{
    const struct away *away = context;

    return store_vacation_put(store, away->user_id, away->vacation);
}

static const char *save_away(struct http_exchange *x, struct web_work *work)
{
    struct store_vacation *vacation = &work->vacation;
    struct away away = {web_user_id(x), vacation};
    enum err err = OK;

    memset(vacation, 0, sizeof(*vacation));
    vacation->on = http_param(x, "on") != NULL;
    vacation->from_ms = read_day(http_param_or(x, "from", ""));
    vacation->until_ms = read_day(http_param_or(x, "until", ""));
    if (vacation->from_ms < 0 || vacation->until_ms < 0)
        err = ERR_UNSUPPORTED;
    /* The last day counts. */
    if (vacation->until_ms > 0)
        vacation->until_ms += DAY_MS;
    if (!copy_lines(vacation->subject, sizeof(vacation->subject),
                    http_param_or(x, "subject", "")) ||
        !copy_lines(vacation->text, sizeof(vacation->text),
                    http_param_or(x, "text", "")))
        err = ERR_TOO_BIG;
    if (err == OK)
        err = st_job_write(put_away, &away);
    if (err == OK)
        return NULL;
    if (err == ERR_TOO_BIG)
        return "Subject or text of the answer is too long.";
    if (err == ERR_UNSUPPORTED)
        return "Write the first and the last day like 2026-12-24.";
    return err == ERR_INVALID ? "Write a text, and let the last day not be "
                                "before the first."
                              : "The store cannot save this now: try again.";
}

static void away_form(struct http_exchange *x, struct web_work *work)
{
    struct store_vacation *vacation = &work->vacation;
    const char *subject = vacation->subject, *text = vacation->text;

    if (again(x, "away")) {
        subject = http_param_or(x, "subject", "");
        text = http_param_or(x, "text", "");
    } else if (store_vacation_get(work->store, web_user_id(x), vacation) !=
               OK) {
        memset(vacation, 0, sizeof(*vacation));
    }
    html(x, "<section><h2>Away</h2>"
            "<form method=\"post\" action=\"/settings\">");
    web_csrf(x);
    html(x,
         "<label class=\"check\"><input type=\"checkbox\" name=\"on\" "
         "value=\"1\"%s> Answer whoever writes to me, once in %d days</label>",
         vacation->on ? " checked" : "", STORE_VACATION_DAYS);
    write_day(x, "from", "From (first day)", vacation->from_ms);
    write_day(x, "until", "Until (last day)",
              vacation->until_ms > 0 ? vacation->until_ms - DAY_MS : 0);
    html(x,
         "<p class=\"field\"><label for=\"away-subject\">Subject of the answer"
         "</label><input id=\"away-subject\" name=\"subject\" type=\"text\" "
         "maxlength=\"200\" value=\"%s\"></p>"
         "<p class=\"field\"><label for=\"away-text\">Text of the answer"
         "</label><textarea id=\"away-text\" name=\"text\" rows=\"5\" "
         "maxlength=\"2000\">\n%s</textarea></p>"
         "<button class=\"main\" name=\"do\" value=\"away\">Save answer"
         "</button></form></section>",
         subject, text);
}

/* ---- The page ----------------------------------------------------------- */

static const char *save(struct http_exchange *x, struct web_work *work)
{
    const char *what = http_param_or(x, "do", "");

    if (strcmp(what, "you") == 0)
        return save_choice(x, work);
    if (strcmp(what, "password") == 0)
        return save_password(x, work);
    if (strcmp(what, "away") == 0)
        return save_away(x, work);
    return "Press one of the buttons of this page.";
}

static void show(struct http_exchange *x, struct web_work *work,
                 const char *why)
{
    web_begin(x, work->store, "Settings", 0, true);
    if (why != NULL)
        web_note(x, true, why);
    html(x, "<p class=\"bar\"><a class=\"button\" href=\"/settings/rules\">"
            "Rules for new mail</a> <a class=\"button\" href=\"/folders\">"
            "Folders</a></p><div class=\"narrow\">");
    choice_form(x, work);
    away_form(x, work);
    password_form(x);
    html(x, "</div>");
    web_end(x);
}

void web_settings_page(struct http_exchange *x, struct store *store)
{
    struct web_work *work = web_work_take(store);
    const char *why = http_is_post(x) ? save(x, work) : NULL;

    if (http_is_post(x) && why == NULL)
        http_redirect(x, "/settings?said=saved");
    else
        show(x, work, why);
    web_work_give(work);
}
