/* Shared files: see files.h.
 *
 *   GET /files            the list, and a form to upload
 *   GET /files/NAME       a file, whole or a range of it
 *   POST /files           uploads: fields "file"
 *   POST /files-delete    field "name"
 *
 * An upload goes part by part through the writer's group commit into a file
 * that nobody sees until it is complete; of it no more than a part is in
 * memory, and only so many uploads run at once as there are parts. What comes
 * from here is never shown as a page of this server: files are downloads, in a
 * sandbox. */
#include "files/files.h"
#include "core/list.h"
#include "core/machine.h"
#include "core/memory.h"
#include "http/http.h"
#include "mailstore/store_file.h"
#include "store/st.h"
#include "store/st_job.h"
#include "store/st_number.h"
#include "web/web_page.h"
#include <stdio.h>
#include <string.h>

#define UPLOADS   2
#define ROWS      100
#define MAX_MB    64
#define PIECE     16384
#define BODY_MOST ((uint64_t)4096 * 1024 * 1024)

/* An upload under way. */
struct upload {
    struct list link; /* of the free ones */
    struct store_file file;
    uint32_t index; /* parts that are stored */
    size_t len;     /* of the one that is being filled */
    uint64_t total;
    uint8_t part[STORE_FILE_PART_BYTES];
};

/* What a download has in hand while its job runs. */
struct piece {
    struct list link; /* of the free ones */
    uint8_t bytes[PIECE];
};

static struct {
    struct list free, pieces;
} state;

/* ---- Who may --------------------------------------------------------------
 */

static bool is(const char *key, const char *value)
{
    return strcmp(st_setting(key), value) == 0;
}

static bool may_read(const struct http_exchange *x)
{
    if (is("files_read", "off"))
        return false;
    return http_user(x) != NULL || is("files_read", "everyone");
}

static bool may_write(const struct http_exchange *x)
{
    const struct http_user *user = http_user(x);

    if (user == NULL || is("files_write", "off"))
        return false;
    return user->admin || is("files_write", "users");
}

/* Returns true when it was refused. */
static bool refuse_reading(struct http_exchange *x)
{
    if (may_read(x))
        return false;
    if (http_user(x) == NULL && !is("files_read", "off"))
        http_redirect(x, "/login?next=/files");
    else
        http_error(x, 404, "There are no shared files here.");
    return true;
}

static uint64_t most_bytes(void)
{
    return (uint64_t)st_setting_number("files_max_mb", MAX_MB, 1, 4000) << 20;
}

/* ---- The list -------------------------------------------------------------
 */

/* For strangers, who may read what everyone may. */
static void begin_alone(struct http_exchange *x)
{
    web_begin_alone(x, 200, "Shared files");
    http_text(x, "<p><a href=\"/login\">Log in to Barepost</a></p>");
}

static void begin_page(struct http_exchange *x, struct store *store)
{
    if (http_user(x))
        web_begin(x, store, "Shared files", 0, true);
    else
        begin_alone(x);
}

struct listing {
    struct http_exchange *x;
    unsigned rows;
    bool may_delete;
    char last[STORE_FILE_NAME_BYTES];
};

static enum err show_row(void *context, const struct store_file *file)
{
    struct listing *listing = context;
    struct http_exchange *x = listing->x;
    char size[WEB_SIZE_BYTES];

    if (listing->rows++ == ROWS)
        return OK; /* one more than is shown: there is a next page */
    memcpy(listing->last, file->name, sizeof(listing->last));
    http_printf(x,
                "<tr><td><a href=\"/files/%p\">%h</a></td><td class=\"size\">"
                "%h</td><td>",
                file->name, file->name, web_size(file->bytes, size));
    web_time(x, file->time_ms, false);
    http_text(x, "</td><td>");
    if (listing->may_delete) {
        http_text(x, "<form method=\"post\" action=\"/files-delete\">");
        web_csrf(x);
        http_printf(x,
                    "<input type=\"hidden\" name=\"name\" value=\"%h\">"
                    "<button aria-label=\"Delete %h\">Delete</button></form>",
                    file->name, file->name);
    }
    http_text(x, "</td></tr>\n");
    return OK;
}

static void show_form(struct http_exchange *x)
{
    http_text(x, "<form method=\"post\" action=\"/files\" "
                 "enctype=\"multipart/form-data\">");
    web_csrf(x);
    http_printf(
        x,
        "<p class=\"field\"><label for=\"files\">Files, of %llu MB each at "
        "most</label> <input id=\"files\" type=\"file\" "
        "name=\"file\" multiple required> "
        "<button class=\"main\">Upload</button></p></form>\n",
        (unsigned long long)(most_bytes() >> 20));
}

static void show_list(struct http_exchange *x, struct store *store)
{
    struct listing listing = {.x = x, .may_delete = may_write(x)};
    enum err err;

    if (refuse_reading(x))
        return;
    begin_page(x, store);
    if (may_write(x))
        show_form(x);
    http_text(x, "<table><thead><tr><th>Name</th><th>Size</th><th>Since</th>"
                 "<th><span class=\"hidden\">Change</span></th></tr>"
                 "</thead><tbody>\n");
    err = store_file_list(store, http_param_or(x, "behind", ""), ROWS + 1,
                          show_row, &listing);
    http_text(x, "</tbody></table>\n");
    if (err) {
        http_fail(x, err);
        return;
    }
    if (listing.rows == 0)
        http_text(x, "<p class=\"empty\">There are none yet.</p>\n");
    if (listing.rows > ROWS)
        http_printf(x, "<p><a href=\"/files?behind=%p\">More</a></p>\n",
                    listing.last);
    web_end(x);
}

/* ---- Download -------------------------------------------------------------
 */

struct download {
    int64_t id;
    uint64_t at, left;
};

static void send_more(struct http_exchange *x, struct store *store)
{
    struct download *download = http_state(x);
    struct list *node = list_take_first(&state.pieces);
    struct piece *piece = LIST_ELEMENT(node, struct piece, link);
    int got = store_file_read(store, download->id, download->at, piece->bytes,
                              download->left < PIECE ? (size_t)download->left
                                                     : PIECE);

    /* Nothing: it was replaced meanwhile, and the client sees it end. */
    if (got > 0) {
        http_write(x, piece->bytes, (size_t)got);
        download->at += (unsigned)got;
        download->left -= (unsigned)got;
        if (download->left > 0)
            http_continue(x, send_more, download, sizeof(*download));
    }
    list_append(&state.pieces, node);
}

static void send_file(struct http_exchange *x, struct store *store)
{
    struct store_file file;
    struct download download;
    char etag[48];
    enum err err;

    if (refuse_reading(x))
        return;
    err = store_file_find(store, http_path_rest(x), &file);
    if (err) {
        http_fail(x, err);
        return;
    }
    (void)snprintf(etag, sizeof(etag), "\"f%llx-%llx\"",
                   (unsigned long long)file.id,
                   (unsigned long long)file.time_ms);
    http_begin(x, 200, file.type[0] ? file.type : "application/octet-stream");
    http_header(x, "Content-Security-Policy", "default-src 'none'; sandbox");
    http_header(x, "Cache-Control", "private, no-cache");
    http_download(x, "attachment", file.name);
    if (!http_length(x, file.bytes, etag, file.time_ms, &download.at,
                     &download.left))
        return;
    download.id = file.id;
    http_continue(x, send_more, &download, sizeof(download));
}

/* ---- Upload ---------------------------------------------------------------
 */

static enum err begin_file(void *context, struct store *store)
{
    struct upload *upload = context;

    return store_file_begin(store, &upload->file);
}

static enum err put_part(void *context, struct store *store)
{
    struct upload *upload = context;

    return store_file_put_part(store, upload->file.id, upload->index,
                               upload->part, upload->len);
}

static enum err finish_file(void *context, struct store *store)
{
    struct upload *upload = context;

    return store_file_finish(store, upload->file.id, upload->total,
                             machine_wall_clock_ms());
}

static enum err discard_file(void *context, struct store *store)
{
    struct upload *upload = context;

    return store_file_discard(store, upload->file.id);
}

static enum err flush_part(struct upload *upload)
{
    enum err err = OK;

    if (upload->len > 0)
        err = st_job_write(put_part, upload);
    upload->total += upload->len;
    upload->index++;
    upload->len = 0;
    return err;
}

static enum err read_file(struct http_exchange *x, struct upload *upload)
{
    uint64_t most = most_bytes();
    enum err err = OK;

    while (!err) {
        int got = http_part_read(x, upload->part + upload->len,
                                 sizeof(upload->part) - upload->len);

        if (got < 0)
            return (enum err)got;
        if (got == 0)
            return flush_part(upload);
        upload->len += (size_t)got;
        if (upload->total + upload->len > most)
            return ERR_TOO_BIG;
        if (upload->len == sizeof(upload->part))
            err = flush_part(upload);
    }
    return err;
}

static enum err take_file(struct http_exchange *x, struct upload *upload,
                          const struct http_part *part)
{
    enum err err;

    upload->index = 0;
    upload->len = 0;
    upload->total = 0;
    memset(&upload->file, 0, sizeof(upload->file));
    upload->file.user_id = http_user(x)->id;
    memcpy(upload->file.name, part->file_name, sizeof(part->file_name));
    memcpy(upload->file.type, part->type, sizeof(part->type));
    err = st_job_write(begin_file, upload);
    if (err)
        return err;
    err = read_file(x, upload);
    if (!err)
        err = st_job_write(finish_file, upload);
    if (err)
        (void)!st_job_write(discard_file, upload);
    return err;
}

static enum err take_files(struct http_exchange *x, struct upload *upload)
{
    struct http_part part;
    enum err err;

    while ((err = http_part_next(x, &part)) == OK) {
        if (strcmp(part.name, "file") != 0 || part.file_name[0] == '\0')
            continue;
        err = take_file(x, upload, &part);
        if (err)
            return err;
    }
    return err == ERR_NOT_FOUND ? OK : err;
}

static void upload_files(struct http_exchange *x, struct store *store)
{
    struct list *node;
    enum err err;

    (void)store;
    if (!may_write(x)) {
        http_fail(x, ERR_REFUSED);
        return;
    }
    node = list_take_first(&state.free);
    if (node == NULL) {
        http_fail(x, ERR_BUSY);
        return;
    }
    err = take_files(x, LIST_ELEMENT(node, struct upload, link));
    list_append(&state.free, node);
    if (err)
        http_fail(x, err);
    else
        http_redirect(x, "/files");
}

/* ---- Deletion -------------------------------------------------------------
 */

static enum err delete_file(void *context, struct store *store)
{
    return store_file_delete(store, context);
}

static void delete_page(struct http_exchange *x, struct store *store)
{
    char name[STORE_FILE_NAME_BYTES];
    enum err err = ERR_REFUSED;

    (void)store;
    (void)snprintf(name, sizeof(name), "%s", http_param_or(x, "name", ""));
    if (may_write(x))
        err = st_job_write(delete_file, name);
    if (err)
        http_fail(x, err);
    else
        http_redirect(x, "/files");
}

/* ---- Start ----------------------------------------------------------------
 */

static const struct http_route routes[] = {
    {"/files", HTTP_GET, HTTP_PUBLIC, show_list, 0},
    {"/files", HTTP_POST, HTTP_USER, upload_files, BODY_MOST},
    {"/files/*", HTTP_GET, HTTP_PUBLIC, send_file, 0},
    {"/files-delete", HTTP_POST, HTTP_USER, delete_page, 0},
};

enum err files_init(void)
{
    struct upload *uploads =
        memory_take("shared files", UPLOADS * sizeof(*uploads), 64);
    struct piece *pieces =
        memory_take("shared files", ST_JOBS * sizeof(*pieces), 64);

    if (uploads == NULL || pieces == NULL)
        return ERR_MEMORY;
    list_init(&state.free);
    for (unsigned i = 0; i < UPLOADS; i++)
        list_append(&state.free, &uploads[i].link);
    list_init(&state.pieces);
    for (unsigned i = 0; i < ST_JOBS; i++)
        list_append(&state.pieces, &pieces[i].link);
    http_add_routes(routes, sizeof(routes) / sizeof(routes[0]));
    return OK;
}
