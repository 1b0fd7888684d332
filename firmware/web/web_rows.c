/* Rows of a list of messages: see web_rows.h. */
#include "web/web_rows.h"
#include "web/web_page.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_people(struct web_rows *rows, const struct store_row *row)
{
    struct http_exchange *x = rows->x;
    const char *name = row->from_name;

    if (rows->kind == STORE_FOLDER_SENT || rows->kind == STORE_FOLDER_DRAFTS) {
        html(x, "<span class=\"from\">To: %s</span>",
             row->to[0] != '\0' ? row->to : "(nobody yet)");
        return;
    }
    if (name[0] == '\0')
        name = row->from_address;
    if (name[0] == '\0')
        name = row->sender;
    html(x, "<span class=\"from\" title=\"%s\">%s</span>", row->from_address,
         name[0] != '\0' ? name : "(no sender)");
}

static void write_signs(struct http_exchange *x, const struct store_row *row)
{
    html(x, "<span class=\"when\">");
    if ((row->flags & STORE_FLAGGED) != 0) {
        html(x, "<span class=\"star\">");
        web_icon(x, "star");
        html(x, "<span class=\"hidden\">Flagged</span></span>");
    }
    if ((row->flags & STORE_ANSWERED) != 0) {
        web_icon(x, "reply");
        html(x, "<span class=\"hidden\">Answered</span>");
    }
    if ((row->flags & STORE_FORWARDED) != 0) {
        web_icon(x, "forward");
        html(x, "<span class=\"hidden\">Forwarded</span>");
    }
    if (row->attachments) {
        web_icon(x, "clip");
        html(x, "<span class=\"hidden\">Attachments</span>");
    }
    web_time(x, row->received_ms, false);
    html(x, "</span>");
}

/* ---- Folders of several ------------------------------------------------- */

/* "ID NAME" NUL, and so on; NUL. */
struct folders {
    char *text;
    size_t used, bytes;
};

static enum err add_folder(void *context, const struct store_folder *folder)
{
    struct folders *folders = context;
    char line[STORE_FOLDER_BYTES + 24];
    size_t len = (size_t)snprintf(line, sizeof(line), "%lld %s",
                                  (long long)folder->id, folder->name) +
                 1;

    if (folder->kind == STORE_FOLDER_INBOX ||
        len + 1 > folders->bytes - folders->used)
        return OK;
    memcpy(folders->text + folders->used, line, len);
    folders->used += len;
    folders->text[folders->used] = '\0';
    return OK;
}

const char *web_rows_folders(struct http_exchange *x, struct store *store,
                             char *text, size_t bytes)
{
    struct folders folders = {text, 0, bytes};

    text[0] = '\0';
    (void)!store_list_folders(store, web_user_id(x), add_folder, &folders);
    return text;
}

static void write_folder(struct web_rows *rows, int64_t mailbox_id)
{
    const char *line = rows->folders;
    char *name;

    for (; line != NULL && *line != '\0'; line += strlen(line) + 1)
        if (strtoll(line, &name, 10) == mailbox_id)
            html(rows->x,
                 "<span class=\"count\"><span class=\"hidden\">in </span>%s"
                 "</span> ",
                 name + 1);
}

/* ---- Rows --------------------------------------------------------------- */

enum err web_row(void *context, const struct store_row *row)
{
    struct web_rows *rows = context;
    struct http_exchange *x = rows->x;
    const char *subject =
        row->subject[0] != '\0' ? row->subject : "(no subject)";
    long long mailbox = (long long)row->key.mailbox_id;
    bool unseen = (row->flags & STORE_SEEN) == 0;

    rows->count++;
    html(x,
         "<li%s><label class=\"pick\"><input type=\"checkbox\" name=\"m\" "
         "value=\"%lld.%u\"><span class=\"hidden\">Select: %s</span></label>",
         unseen ? " class=unread" : "", mailbox, row->key.uid, subject);
    if ((rows->kind == STORE_FOLDER_DRAFTS || rows->folders != NULL) &&
        (row->flags & STORE_DRAFT) != 0)
        html(x, "<a href=\"/compose?draft=%lld.%u\">", mailbox, row->key.uid);
    else
        html(x, "<a href=\"/mail/%lld/%u%s%s\">", mailbox, row->key.uid,
             rows->query != NULL && rows->query[0] != '\0' ? "?" : "",
             rows->query);
    write_people(rows, row);
    html(x, "<span class=\"what\">");
    if (unseen)
        html(x, "<span class=\"hidden\">Unread: </span>");
    write_folder(rows, row->key.mailbox_id);
    html(x, "%s", subject);
    if (row->thread_messages > 1)
        html(x,
             " <span class=\"count\">%u<span class=\"hidden\"> messages"
             "</span></span>",
             row->thread_messages);
    if (row->preview[0] != '\0')
        html(x, " <span class=\"more\">- %s</span>", row->preview);
    html(x, "</span>");
    write_signs(x, row);
    html(x, "</a></li>");
    return OK;
}

void web_rows_begin(struct http_exchange *x, struct store *store,
                    const char *here, int64_t mailbox)
{
    html(x, "<form method=\"post\" action=\"/act\">");
    web_csrf(x);
    html(x,
         "<input type=\"hidden\" name=\"back\" value=\"%s\">"
         "<div class=\"bar\" role=\"group\" "
         "aria-label=\"Selected messages\">"
         "<label class=\"check js\"><input type=\"checkbox\" id=\"all\">"
         "<span class=\"hidden\">Select all on this page</span></label>",
         here);
    /* The first button is what Enter on a box presses: that must not delete. */
    html(x, "<button class=\"hidden\" tabindex=\"-1\" aria-hidden=\"true\">"
            "Nothing</button>");
    web_button(x, "delete", "trash", "Delete");
    web_button(x, "read", "read", "Read");
    web_button(x, "unread", "unread", "Unread");
    web_button(x, "flag", "star", "Flag");
    web_junk_button(x, store, mailbox);
    web_mover(x, store, mailbox);
    html(x, "<span id=\"chosen\" class=\"hint\" role=\"status\"></span></div>"
            "<ol class=\"messages\">");
}

void web_rows_end(struct http_exchange *x)
{
    html(x, "</ol></form>");
}
