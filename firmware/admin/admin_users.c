/* The pages of users: the list with a form for a new one, and one user with
 * password, quota, rights and aliases. */
#include "account/account_change.h"
#include "admin/admin_page.h"
#include "mailstore/store_alias.h"
#include "store/st_user.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

#define MEGABYTE   ((uint64_t)1024 * 1024)
#define USERS_PAGE 100
#define PATH_BYTES 48

/* One at a time: it is large, and pages have small stacks. */
static struct {
    bool taken;
    struct account_change change;
    struct admin_wait wait;
} changing;

/* ---- The list -------------------------------------------------------------
 */

static void write_user(struct http_exchange *x, const struct user *user)
{
    struct st_user known;

    http_printf(x,
                "<tr><td><a href=\"/admin/user?id=%lld\">%h</a></td>"
                "<td>%h</td><td>%h</td><td class=\"number\">",
                (long long)user->id, user->name, user->full_name,
                !user->enabled ? "disabled"
                : user->admin  ? "administrator"
                               : "");
    if (st_user(user->id, &known) && known.counted)
        admin_bytes(x, known.used_bytes);
    http_text(x, "</td><td class=\"number\">");
    if (user->quota_bytes != 0)
        admin_bytes(x, user->quota_bytes);
    else
        http_text(x, "none");
    http_text(x, "</td><td>");
    if (st_user(user->id, &known) && known.login.time_ms != 0) {
        admin_time(x, known.login.time_ms);
        http_printf(x, " %h from %h", known.login.service, known.login.address);
    }
    http_text(x, "</td></tr>");
}

static void field(struct http_exchange *x, const char *name, const char *label,
                  const char *type, const char *value)
{
    http_printf(x,
                "<p class=\"field\"><label for=\"%h\">%h</label>"
                "<input id=\"%h\" name=\"%h\" type=\"%h\" value=\"%h\" "
                "autocomplete=\"%h\"></p>",
                name, label, name, name, type, value,
                strcmp(type, "password") == 0 ? "new-password" : "off");
}

static void check(struct http_exchange *x, const char *name, const char *label,
                  bool checked)
{
    http_printf(x,
                "<label class=\"check\"><input type=\"checkbox\" name=\"%h\" "
                "value=\"1\"%s> %h</label>",
                name, checked ? " checked" : "", label);
}

/* A new one; with what was typed when he could not be made. */
static void write_new_user(struct http_exchange *x)
{
    http_text(x, "<h2>New user</h2><div class=\"narrow\">");
    admin_form(x, "/admin/users");
    field(x, "name", "Name: the local part of the address", "text",
          http_typed(x, "name", ""));
    field(x, "full_name", "Full name", "text", http_typed(x, "full_name", ""));
    field(x, "password", "Password", "password", "");
    field(x, "quota", "Quota in MB, 0: none", "number",
          http_typed(x, "quota", "0"));
    check(x, "admin", "Administrator", http_typed(x, "admin", NULL) != NULL);
    http_text(x, "<button class=\"main\">Add</button>");
    admin_form_end(x);
    http_text(x, "</div>");
}

/* err: of what was to be made, OK: nothing was. */
static void show_list(struct http_exchange *x, struct store *store,
                      enum err err)
{
    int64_t from = http_param_number(x, "from", 0);
    const struct user *user = NULL;
    size_t at = from < 0 ? 0 : (size_t)from;

    admin_begin(x, store, 200, "Users");
    if (err != OK)
        admin_say(x, err);
    admin_table(x, "Users", "Name|Full name|Kind|#Used|#Quota|Last login");
    for (size_t i = 0; i < USERS_PAGE; i++) {
        struct user copy; /* the directory may be another one meanwhile */

        user = directory_user_at(at + i);
        if (user == NULL)
            break;
        copy = *user;
        write_user(x, &copy);
    }
    admin_table_end(x);
    if (user != NULL)
        http_printf(x,
                    "<p><a class=\"button\" href=\"/admin/users?from=%zu\">"
                    "Next page</a></p>",
                    at + USERS_PAGE);
    write_new_user(x);
    admin_end(x);
}

/* ---- Changing -------------------------------------------------------------
 */

static void change_is_done(struct account_change *change)
{
    (void)change;
    admin_done(&changing.wait);
}

/* Takes the fields of the form; false: one of them is wrong. */
static bool read_form(const struct http_exchange *x,
                      struct account_change *change)
{
    const char *full_name = http_param_or(x, "full_name", "");
    const char *password = http_param_or(x, "password", "");
    /* Nothing is none; what is no number must not be it. */
    int64_t quota = *http_param_or(x, "quota", "") == '\0'
                        ? 0
                        : http_param_number(x, "quota", -1);
    struct user *user = &change->user;

    if (strlen(full_name) >= sizeof(user->full_name) ||
        strlen(password) >= sizeof(change->password) || quota < 0 ||
        quota > INT64_MAX / (int64_t)MEGABYTE)
        return false;
    (void)snprintf(user->full_name, sizeof(user->full_name), "%s", full_name);
    (void)snprintf(change->password, sizeof(change->password), "%s", password);
    user->quota_bytes = (uint64_t)quota * MEGABYTE;
    user->admin = http_param(x, "admin") != NULL;
    user->enabled = user->id == 0 || http_param(x, "enabled") != NULL;
    return true;
}

/* user: as it is, NULL for a new one with that name ("" else). */
static enum err change_user(struct http_exchange *x, const struct user *user,
                            const char *name)
{
    struct account_change *change = &changing.change;
    enum err err = ERR_INVALID;

    if (strlen(name) >= sizeof(change->user.name))
        return err;
    while (changing.taken)
        st_job_pause();
    changing.taken = true;
    memset(change, 0, sizeof(*change));
    if (user != NULL)
        change->user = *user;
    else
        (void)snprintf(change->user.name, sizeof(change->user.name), "%s",
                       name);
    change->fields = STORE_USER_FORM;
    change->done = change_is_done;
    if (read_form(x, change)) {
        admin_wait_begin(&changing.wait);
        account_change(change);
        admin_wait_end(&changing.wait);
        err = change->result;
    }
    memset(change->password, 0, sizeof(change->password));
    changing.taken = false;
    return err;
}

void admin_users_page(struct http_exchange *x, struct store *store)
{
    enum err err = http_is_post(x)
                       ? change_user(x, NULL, http_param_or(x, "name", ""))
                       : OK;

    if (http_is_post(x) && err == OK)
        admin_said(x, "/admin/users", OK);
    else
        show_list(x, store, err);
}

/* ---- Aliases --------------------------------------------------------------
 */

struct alias_wish {
    const char *alias, *address; /* address: "" for the user himself */
    int64_t user_id;
    bool drop;
};

static enum err change_alias(void *context, struct store *store)
{
    const struct alias_wish *wish = context;
    enum err err;

    if (wish->drop)
        err = store_alias_drop(store, wish->alias,
                               *wish->address ? 0 : wish->user_id,
                               *wish->address ? wish->address : NULL);
    else if (*wish->address)
        err = store_forward_add(store, wish->alias, wish->address);
    else
        err = store_alias_add(store, wish->alias, wish->user_id);
    st_directory_changed();
    return err;
}

static enum err alias_form(struct http_exchange *x, const struct user *user,
                           bool drop)
{
    struct alias_wish wish = {.alias = http_param_or(x, "alias", ""),
                              .address = http_param_or(x, "address", ""),
                              .user_id = user->id,
                              .drop = drop};

    if (*wish.alias == '\0')
        wish.alias = user->name;
    return st_job_write(change_alias, &wish);
}

struct alias_list {
    struct http_exchange *x;
    int64_t user_id;
};

static enum err write_alias(void *context, const struct store_alias *alias)
{
    struct alias_list *list = context;
    struct http_exchange *x = list->x;

    http_printf(x, "<tr><td>%h</td><td>%h</td><td>", alias->alias,
                alias->address != NULL            ? alias->address
                : alias->user_id == list->user_id ? "this user"
                                                  : "another user");
    if (alias->address != NULL || alias->user_id == list->user_id) {
        admin_form(x, "/admin/user");
        http_printf(x,
                    "<input type=\"hidden\" name=\"id\" value=\"%lld\">"
                    "<input type=\"hidden\" name=\"alias\" value=\"%h\">"
                    "<input type=\"hidden\" name=\"address\" value=\"%h\">"
                    "<button name=\"do\" value=\"drop\">Remove</button>"
                    "</form>",
                    (long long)list->user_id, alias->alias,
                    alias->address ? alias->address : "");
    }
    http_text(x, "</td></tr>");
    return OK;
}

static void show_aliases(struct http_exchange *x, struct store *store,
                         const struct user *user)
{
    struct alias_list list = {x, user->id};

    admin_table(x, "Aliases and forwarding", "Mail for|goes to|Change");
    if (store_list_aliases(store, user->id, write_alias, &list) != OK)
        http_text(x, "<tr><td>They cannot be read now.</td></tr>");
    admin_table_end(x);
    http_text(x, "<div class=\"narrow\">");
    admin_form(x, "/admin/user");
    http_printf(x, "<input type=\"hidden\" name=\"id\" value=\"%lld\">",
                (long long)user->id);
    field(x, "alias",
          "Alias: a name, a whole address, or @domain; nothing: "
          "the user's own name",
          "text", "");
    field(x, "address", "goes to this address elsewhere; nothing: to this user",
          "text", "");
    http_text(x,
              "<p class=\"hint\">When a name has lines of its own here, only "
              "they say where its mail goes: forwarding with a copy takes a "
              "second line to this user.</p>"
              "<button name=\"do\" value=\"add\">Add</button>");
    admin_form_end(x);
    http_text(x, "</div>");
}

/* ---- One user -------------------------------------------------------------
 */

static void show_user(struct http_exchange *x, struct store *store,
                      const struct user *user)
{
    char quota[24];

    (void)snprintf(quota, sizeof(quota), "%llu",
                   (unsigned long long)(user->quota_bytes / MEGABYTE));
    admin_begin(x, store, 200, user->name);
    http_text(x, "<div class=\"narrow\">");
    admin_form(x, "/admin/user");
    http_printf(x, "<input type=\"hidden\" name=\"id\" value=\"%lld\">",
                (long long)user->id);
    field(x, "full_name", "Full name", "text", user->full_name);
    field(x, "password", "New password; nothing: as it is", "password", "");
    field(x, "quota", "Quota in MB, 0: none", "number", quota);
    check(x, "admin", "Administrator", user->admin);
    check(x, "enabled", "May log in and gets mail", user->enabled);
    http_text(x, "<button class=\"main\" name=\"do\" value=\"save\">Save"
                 "</button>");
    admin_form_end(x);
    http_text(x, "</div>");
    show_aliases(x, store, user);
    http_printf(x,
                "<p><a class=\"button\" href=\"/admin/log?find=user%%3D%p\">"
                "Log of this user</a></p>",
                user->name);
    admin_end(x);
}

/* An administrator does not lock himself out by mistake. */
static bool is_own_end(const struct http_exchange *x, const struct user *user)
{
    return user->id == http_user(x)->id &&
           (http_param(x, "admin") == NULL || http_param(x, "enabled") == NULL);
}

void admin_user_page(struct http_exchange *x, struct store *store)
{
    const struct user *known =
        directory_user_by_id(http_param_number(x, "id", 0));
    const char *what = http_param_or(x, "do", "");
    char path[PATH_BYTES];
    struct user user;
    enum err err;

    if (known == NULL) {
        http_fail(x, ERR_NOT_FOUND);
        return;
    }
    user = *known;
    if (!http_is_post(x)) {
        show_user(x, store, &user);
        return;
    }
    if (strcmp(what, "add") == 0 || strcmp(what, "drop") == 0)
        err = alias_form(x, &user, *what == 'd');
    else if (is_own_end(x, &user))
        err = ERR_INVALID;
    else
        err = change_user(x, &user, "");
    if (err == OK && user.id == http_user(x)->id &&
        *http_param_or(x, "password", "") != '\0')
        http_login_renew(x);
    (void)snprintf(path, sizeof(path), "/admin/user?id=%lld",
                   (long long)user.id);
    admin_said(x, path, err);
}
