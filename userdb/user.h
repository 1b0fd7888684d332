/* User profiles, in memory.
 *
 * All profiles and aliases are held in one directory with hash lookup, filled
 * from the store at start and kept equal to it by whoever changes the store, so
 * that RCPT TO is answered without waiting for the stick. Used by the AO, by
 * mkusb and by the simulated PC. */
#ifndef USERDB_USER_H
#define USERDB_USER_H

#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_NAME_BYTES      65 /* RFC 5321 4.5.3.1.1: local part <= 64 */
#define USER_FULL_NAME_BYTES 129
#define USER_HASH_BYTES      129 /* encoded argon2id string */
#define USER_DOMAIN_BYTES    256 /* RFC 5321 4.5.3.1.2 */
#define USER_ADDRESS_BYTES   321 /* local part, "@", domain, NUL */

struct user {
    int64_t id;                           /* user.UserID in the store */
    char name[USER_NAME_BYTES];           /* as given, compared caselessly */
    char full_name[USER_FULL_NAME_BYTES]; /* UTF-8 */
    char hash[USER_HASH_BYTES];           /* "$argon2id$v=19$m=..." */
    uint64_t quota_bytes;                 /* 0: none */
    bool admin;
    bool enabled;
};

/* user_name_valid - a dot-atom of RFC 5322 3.2.3 of at most 64 characters (so
 * that it is a local part), ASCII, no upper limit on users. */
bool user_name_valid(const char *name);

/* user_domain_valid - letters, digits and hyphens in labels, RFC 5321 4.1.2. */
bool user_domain_valid(const char *domain, size_t len);

/* user_alias_valid - a local part like a name, or one with "@" and a domain. */
bool user_alias_valid(const char *alias);

/* ---- Passwords --------------------------------------------------------- */

/* argon2id with the cost of RFC 9106 / OWASP that fits a 64 MiB machine. */
#define PASSWORD_MEMORY_KIB 19456
#define PASSWORD_PASSES     2

/* password_module_init - the arena, PASSWORD_MEMORY_KIB KiB big, and a function
 * that is called between slices of about 2.5 ms of work (NULL: none; the AO
 * suspends its coroutine there). One hash at a time. */
void password_module_init(void *arena, size_t bytes, void (*pause)(void));

/* password_hash - encodes a password with a given salt.
 * hash: USER_HASH_BYTES. Returns OK, ERR_MEMORY or ERR_INVALID. */
enum err password_hash(const char *password, size_t len, const uint8_t salt[16],
                       char *hash) MUST_CHECK;

/* password_verify - OK when it fits, ERR_REFUSED when not, ERR_INVALID when
 * the hash is not one of ours, ERR_MEMORY when it wants more than the arena.
 * Constant-time in the password. */
enum err password_verify(const char *hash, const char *password,
                         size_t len) MUST_CHECK;

/* password_hash_valid - whether a text is a hash that password_verify() takes:
 * "$argon2id$v=19$m=..,t=..,p=1$salt$hash", within the arena. */
bool password_hash_valid(const char *text);

/* ---- Directory --------------------------------------------------------- */

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
 * or ERR_INVALID (name). directory_update_user replaces the one with that id:
 * OK or ERR_NOT_FOUND. */
enum err directory_add_user(const struct user *user) MUST_CHECK;
enum err directory_update_user(const struct user *user) MUST_CHECK;

/* directory_add_alias - a further local part, or a whole address, of a user.
 * Returns OK, ERR_EXISTS, ERR_NOT_FOUND (user), ERR_MEMORY, ERR_INVALID. */
enum err directory_add_alias(const char *alias, int64_t user_id) MUST_CHECK;

/* directory_add_domain - mail for this domain is ours. Caseless.
 * Returns OK, ERR_EXISTS, ERR_MEMORY, ERR_INVALID. */
enum err directory_add_domain(const char *domain) MUST_CHECK;
bool directory_is_local_domain(const char *domain, size_t len);

/* The first local domain, e.g. for completing a bare name; "" when none. */
const char *directory_first_domain(void);

/* directory_find_user - by login name (or by full address of one), caseless.
 * The pointer is valid until the next directory_init(). NULL: no such user. */
const struct user *directory_find_user(const char *name, size_t len);
const struct user *directory_user_by_id(int64_t id);

/* directory_user_at - the index-th user in the order they were added; NULL
 * behind the last. */
const struct user *directory_user_at(size_t index);
size_t directory_user_count(void);

/* directory_resolve - who gets mail for an address.
 * local part and domain as in RCPT TO, unquoted. "postmaster" (RFC 5321 4.5.1)
 * without or with a local domain finds the first admin, else the first user,
 * where no user or alias of that name exists.
 * Returns the user; or NULL with *why: ERR_REFUSED (the domain is not ours:
 * relaying), ERR_NOT_FOUND (no such user), ERR_BUSY (user disabled). */
const struct user *directory_resolve(const char *local, size_t local_len,
                                     const char *domain, size_t domain_len,
                                     enum err *why);

/* ---- users.csv --------------------------------------------------------- */

struct csv_user {
    struct user user;   /* id 0; hash filled only when given ready */
    char password[256]; /* plain, or "" when a ready hash was given */
    char aliases[1024]; /* separated by single spaces */
};

/* csv_parse_users - parses a whole users.csv: header line with the columns
 * username,password,name,quota_mb,admin,aliases in any order, the first two
 * required; RFC 4180 quoting, LF or CRLF, UTF-8 with or without BOM.
 * add: called for each user; its error stops the parsing.
 * message: on error, a sentence with line number and reason, at most
 * message_bytes; the file's name is put before it by the caller.
 * Returns OK or the error. */
enum err
csv_parse_users(const char *text, size_t len,
                enum err (*add)(void *context, const struct csv_user *user),
                void *context, char *message, size_t message_bytes) MUST_CHECK;

#endif
