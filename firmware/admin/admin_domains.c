/* The page "Domains": which domains are ours, and what holds for each
 * (settings "domains" and "domain:NAME"). */
#include "admin/admin_page.h"
#include "store/st.h"
#include "userdb/user.h"
#include <stdio.h>
#include <string.h>

#define KEY_BYTES 64

/* One change of the list at a time: it is large, and the next one begins with
 * what this one leaves. */
static struct {
    bool taken;
    char list[sizeof(((struct st_setting *)0)->value)];
} changing;

/* The next word of a list; false: no more. */
static bool next_word(const char **list, char *word, size_t bytes)
{
    size_t len;

    *list += strspn(*list, " ");
    len = strcspn(*list, " ");
    if (len == 0 || len >= bytes)
        return false;
    memcpy(word, *list, len);
    word[len] = '\0';
    *list += len;
    return true;
}

static void write_domain(struct http_exchange *x, const char *domain)
{
    char key[USER_DOMAIN_BYTES + 8], word[32], size[32] = "";
    const char *words;
    bool closed = false;

    (void)snprintf(key, sizeof(key), "domain:%s", domain);
    words = st_setting(key);
    while (next_word(&words, word, sizeof(word))) {
        closed = closed || strcmp(word, "closed") == 0;
        if (strncmp(word, "size=", 5) == 0)
            (void)snprintf(size, sizeof(size), "%.26s", word + 5);
    }
    http_printf(x, "<tr><td>%h</td><td>", domain);
    admin_form(x, "/admin/domains");
    http_printf(x,
                "<input type=\"hidden\" name=\"domain\" value=\"%h\">"
                "<label>Largest message, like 10M <input name=\"size\" "
                "type=\"text\" value=\"%h\"></label>"
                "<label class=\"check\"><input type=\"checkbox\" "
                "name=\"closed\" value=\"1\"%s> only our users send to it"
                "</label><button name=\"do\" value=\"save\">Save</button> "
                "<button name=\"do\" value=\"drop\">Remove</button></form>"
                "</td></tr>",
                domain, size, closed ? " checked" : "");
}

static void show(struct http_exchange *x, struct store *store)
{
    const char *list = st_setting("domains");
    char domain[USER_DOMAIN_BYTES];

    admin_begin(x, store, 200, "Domains");
    admin_table(x, "Mail for these domains is ours", "Domain|What holds");
    while (next_word(&list, domain, sizeof(domain)))
        write_domain(x, domain);
    admin_table_end(x);
    http_text(x, "<div class=\"narrow\">");
    admin_form(x, "/admin/domains");
    http_text(x,
              "<p class=\"field\"><label for=\"new\">Another domain</label>"
              "<input id=\"new\" name=\"domain\" type=\"text\"></p>"
              "<button class=\"main\" name=\"do\" value=\"add\">Add</button>");
    admin_form_end(x);
    http_text(x, "</div>");
    admin_end(x);
}

/* Puts a domain at the end of changing.list; false: it has no room. */
static bool append(const char *domain)
{
    size_t len = strlen(changing.list), room = sizeof(changing.list) - len;

    return (size_t)snprintf(changing.list + len, room, "%s%s", len ? " " : "",
                            domain) < room;
}

/* Makes changing.list the list without the domain; *found: it was in it. False:
 * the list has no room. */
static bool without(const char *domain, bool *found)
{
    const char *list = st_setting("domains");
    char word[USER_DOMAIN_BYTES];
    bool whole = true;

    *found = false;
    changing.list[0] = '\0';
    while (whole && next_word(&list, word, sizeof(word))) {
        if (strcmp(word, domain) == 0)
            *found = true;
        else
            whole = append(word);
    }
    return whole;
}

static enum err change_list(const char *domain, bool add)
{
    bool found;

    if (!without(domain, &found))
        return ERR_INVALID;
    if (add && found)
        return ERR_EXISTS;
    if (!add && (!found || changing.list[0] == '\0'))
        return found ? ERR_INVALID : ERR_NOT_FOUND;
    if (add && !append(domain))
        return ERR_INVALID;
    return admin_put_setting("domains", changing.list);
}

static enum err change_list_alone(const char *domain, bool add)
{
    enum err err;

    while (changing.taken)
        st_job_pause();
    changing.taken = true;
    err = change_list(domain, add);
    changing.taken = false;
    return err;
}

static bool is_size(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits <= 9 && (text[digits] == '\0' ||
                           (digits != 0 && strchr("KM", text[digits]) != NULL &&
                            text[digits + 1] == '\0'));
}

static enum err change_domain(struct http_exchange *x, const char *domain)
{
    const char *size = http_param_or(x, "size", "");
    char key[USER_DOMAIN_BYTES + 8], value[64];

    if (!is_size(size) || strlen(domain) + 8 > KEY_BYTES)
        return ERR_INVALID;
    (void)snprintf(key, sizeof(key), "domain:%s", domain);
    (void)snprintf(value, sizeof(value), "%s%s%s%.10s",
                   http_param(x, "closed") ? "closed" : "",
                   http_param(x, "closed") && *size ? " " : "",
                   *size ? "size=" : "", size);
    return admin_put_setting(key, value);
}

void admin_domains_page(struct http_exchange *x, struct store *store)
{
    const char *domain = http_param_or(x, "domain", "");
    const char *what = http_param_or(x, "do", "");
    enum err err = ERR_INVALID;

    if (!http_is_post(x)) {
        show(x, store);
        return;
    }
    if (user_domain_valid(domain, strlen(domain)) &&
        strlen(domain) < USER_DOMAIN_BYTES)
        err = strcmp(what, "save") == 0
                  ? change_domain(x, domain)
                  : change_list_alone(domain, *what == 'a');
    admin_said(x, "/admin/domains", err);
}
