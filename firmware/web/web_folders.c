/* Folders of one's own: made, renamed, removed. /folders */
#include "store/st_job.h"
#include "web/web.h"
#include "web/web_page.h"
#include <string.h>

struct change {
    int64_t user_id, id;
    const char *what, *name;
};

static enum err change_folder(void *context, struct store *store)
{
    struct change *change = context;
    int64_t made;

    if (strcmp(change->what, "make") == 0)
        return store_folder_create(store, change->user_id, change->name, &made);
    if (strcmp(change->what, "rename") == 0)
        return store_folder_rename(store, change->user_id, change->id,
                                   change->name);
    if (strcmp(change->what, "remove") == 0)
        return store_folder_delete(store, change->user_id, change->id);
    return ERR_INVALID;
}

static const char *why_not(enum err err)
{
    switch ((int)err) {
    case ERR_INVALID:
        return "A folder's name has 1 to 64 characters, without space at its "
               "ends.";
    case ERR_EXISTS:
        return "There is a folder of that name already.";
    case ERR_TOO_BIG:
        return "There are as many folders as there can be.";
    case ERR_REFUSED:
        return "That folder has to stay as it is.";
    case ERR_BUSY:
        return "The folder holds messages: move or delete them first.";
    case ERR_NOT_FOUND:
        return "That folder is not there any more.";
    default:
        return "The store cannot save this now: try again.";
    }
}

/* The name that was typed for it when it could not be saved; else `otherwise`.
 * id: 0: of the new one. */
static const char *typed(const struct http_exchange *x, int64_t id,
                         const char *otherwise)
{
    return http_param_number(x, "id", 0) == id
               ? http_typed(x, "name", otherwise)
               : otherwise;
}

static enum err write_folder(void *context, const struct store_folder *folder)
{
    struct http_exchange *x = context;
    long long id = (long long)folder->id;

    if (folder->kind != STORE_FOLDER_OWN)
        return OK;
    html(x, "<form class=\"bar\" method=\"post\" action=\"/folders\">");
    web_csrf(x);
    html(x,
         "<input type=\"hidden\" name=\"id\" value=\"%lld\">"
         "<label class=\"hidden\" for=\"name-%lld\">Name of folder %s</label>"
         "<input id=\"name-%lld\" name=\"name\" type=\"text\" value=\"%s\" "
         "maxlength=\"64\" required>"
         "<button name=\"do\" value=\"rename\">Rename</button>"
         "<button name=\"do\" value=\"remove\">Remove</button></form>",
         id, id, folder->name, id, typed(x, folder->id, folder->name));
    return OK;
}

void web_folders_page(struct http_exchange *x, struct store *store)
{
    struct change change = {.user_id = web_user_id(x),
                            .id = http_param_number(x, "id", 0),
                            .what = http_param_or(x, "do", ""),
                            .name = http_param_or(x, "name", "")};
    enum err err = http_is_post(x) ? st_job_write(change_folder, &change) : OK;

    if (http_is_post(x) && err == OK) {
        http_redirect(x, "/folders?said=saved");
        return;
    }
    web_begin(x, store, "Folders", 0, true);
    if (err != OK)
        web_note(x, true, why_not(err));
    html(x, "<div class=\"narrow\">");
    if (store_list_folders(store, change.user_id, write_folder, x) != OK)
        web_note(x, true, "The folders cannot be read now.");
    html(x, "<h2>A new folder</h2>"
            "<form class=\"bar\" method=\"post\" action=\"/folders\">");
    web_csrf(x);
    html(x,
         "<label for=\"made\">Name</label>"
         "<input id=\"made\" name=\"name\" type=\"text\" maxlength=\"64\" "
         "value=\"%s\" required><button class=\"main\" name=\"do\" "
         "value=\"make\">Make "
         "folder</button></form></div>",
         typed(x, 0, ""));
    web_end(x);
}
