/* The directory: all users, aliases and domains, in memory.
 *
 * Filled from the store at start and kept equal to it by whoever changes the
 * store, so that RCPT TO is answered without waiting for the stick. */
#ifndef USERDB_DIRECTORY_H
#define USERDB_DIRECTORY_H

#include "userdb/user.h"

/* directory_init - takes `bytes` of memory for users and addresses; about 700
 * bytes a user. Any earlier content is forgotten. */
void directory_init(void *memory, size_t bytes);

/* directory_stage - what is added from now on goes into a new directory in this
 * memory, while the present one is still asked. directory_publish - ends that;
 * keep: the new one takes the old one's place, else it is dropped. So that a
 * directory can be filled from the stick in several turns of the loop and no
 * recipient is unknown meanwhile. */
void directory_stage(void *memory, size_t bytes);
void directory_publish(bool keep);

/* directory_add_user - copies the user in. Returns OK, ERR_EXISTS, ERR_MEMORY
 * or ERR_INVALID (name). */
enum err directory_add_user(const struct user *user) MUST_CHECK;

/* directory_add_alias - mail for the alias goes to that user, besides all else
 * that was added for it. An alias may have a user's name: then mail for that
 * user, also for his other aliases, goes where that alias says, and to the user
 * only if it says so too.
 * directory_add_forward - it goes on to that address, which may be anywhere,
 * or another alias.
 * Return OK, ERR_EXISTS (this very pair), ERR_NOT_FOUND (user), ERR_MEMORY,
 * ERR_INVALID. */
enum err directory_add_alias(const char *alias, int64_t user_id) MUST_CHECK;
enum err directory_add_forward(const char *alias,
                               const char *address) MUST_CHECK;

/* directory_add_domain - mail for this domain is ours. Caseless.
 * Returns OK, ERR_EXISTS, ERR_MEMORY, ERR_INVALID. */
enum err directory_add_domain(const char *domain) MUST_CHECK;
bool directory_is_local_domain(const char *domain, size_t len);

/* directory_limit_domain - max_bytes: of one message to it, 0: no limit of its
 * own; closed: it takes mail from users who are logged in, and from others only
 * for postmaster and abuse.
 * Returns OK or ERR_NOT_FOUND. */
enum err directory_limit_domain(const char *domain, uint64_t max_bytes,
                                bool closed) MUST_CHECK;

/* directory_set_tags - each of these characters begins a tag, which does not
 * count in a local part: "anna+shop" is anna. "+" if it is never said. */
void directory_set_tags(const char *characters);

/* The first local domain, e.g. for completing a bare name; "" when none. */
const char *directory_first_domain(void);

/* directory_find_user - by login name (or by full address of one), caseless.
 * The pointer is valid until the next directory_init(). NULL: no such user. */
const struct user *directory_find_user(const char *name, size_t len);
const struct user *directory_user_by_id(int64_t id);

/* directory_has_alias - whether this is an alias of its own, without a domain.
 */
bool directory_has_alias(const char *alias);

/* directory_user_at - the index-th user in the order they were added; NULL
 * behind the last. */
const struct user *directory_user_at(size_t index);
size_t directory_user_count(void);

/* ---- Memory ---------------------------------------------------------------
 */

/* directory_..._bytes - what a user takes whose name has so many bytes, an
 * alias of so many, each of the addresses or users ("") that it means, a
 * domain. directory_bytes_for - memory that is enough for what takes so much.
 */
size_t directory_user_bytes(size_t len);
size_t directory_alias_bytes(size_t len);
size_t directory_meaning_bytes(size_t len);
size_t directory_domain_bytes(size_t len);
size_t directory_bytes_for(uint64_t content);

/* directory_share - the memory of one directory on a PC where `left` is free
 * when its store is set up. directory_pc_mb - megabytes, a power of two, that a
 * PC must have for a directory of so many bytes; 0: no PC has them. */
size_t directory_share(size_t left);
unsigned directory_pc_mb(size_t bytes);

/* ---- Who gets mail for an address --------------------------------------- */

/* At most so many get mail for one address. */
#define DIRECTORY_TARGETS_MAX 100

struct directory_target {
    const struct user *user; /* NULL: it goes elsewhere, */
    const char *address;     /* to this address */
};

struct directory_expansion {
    uint64_t max_bytes; /* as directory_limit_domain() */
    bool closed;
    unsigned count;
    struct directory_target targets[DIRECTORY_TARGETS_MAX]; /* no doubles */
};

/* directory_expand - local part and domain as in RCPT TO, unquoted; no domain
 * means one of ours. Looked for in this order, first as it is, then without its
 * tag: the alias "local@domain", the alias "local", the user; then the alias
 * "@domain". "postmaster" (RFC 5321 4.5.1) and "abuse" (RFC 2142) find the
 * first admin, else the first user, when there is nobody else for them.
 * Addresses of aliases are looked up in the same way as long as they are ours.
 * expansion: valid until the next call or change of the directory.
 * Returns OK (there is at least one), ERR_REFUSED (the address is not ours:
 * relaying), ERR_NOT_FOUND (nobody there), ERR_BUSY (disabled users only) or
 * ERR_TOO_BIG (too many, or aliases of aliases too deep). */
enum err
directory_expand(const char *local, size_t local_len, const char *domain,
                 size_t domain_len,
                 const struct directory_expansion **expansion) MUST_CHECK;

/* directory_expand_whole - the same of an address as it stands in an envelope
 * (NUL-terminated): its local part perhaps quoted (RFC 5321 4.1.2). */
enum err
directory_expand_whole(const char *address,
                       const struct directory_expansion **expansion) MUST_CHECK;

/* directory_may_send_as - whether an address is a user's own, or he gets mail
 * for it, so that he may put it as sender: also where he has it sent on. */
bool directory_may_send_as(int64_t user_id, const char *local, size_t local_len,
                           const char *domain, size_t domain_len);

#endif
