/* User profiles: what a user is, what names, addresses and passwords are good,
 * and how they are written in users.csv. Used by the AO, by mkusb and by the
 * simulated PC. All users together: directory.h. */
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

/* user_alias_valid - a local part like a name, or one with "@" and a domain, or
 * "@domain" for whatever else comes to it; the local part may be UTF-8 (RFC
 * 6531), the domain too. */
bool user_alias_valid(const char *alias);

/* user_address_valid - whether mail can go on to that address: a local part and
 * a domain, or a local part alone, which then is one of ours. */
bool user_address_valid(const char *address);

/* user_address_at - the "@" between local part and domain: the last one. NULL:
 * there is none. */
const char *user_address_at(const char *address, size_t len);

/* user_text_valid - well-formed UTF-8 (RFC 3629) without control characters. */
bool user_text_valid(const char *text, size_t len);

/* user_domain_to_ascii - a domain with its UTF-8 labels in the form that the
 * DNS knows ("xn--...", RFC 5890 2.3.2.1); letters become small ones.
 * ascii: USER_DOMAIN_BYTES. Returns OK, ERR_INVALID or ERR_TOO_BIG. */
enum err user_domain_to_ascii(const char *domain, size_t len,
                              char *ascii) MUST_CHECK;

/* ---- Passwords --------------------------------------------------------- */

/* argon2id with the cost that OWASP holds for as good as 19456 KiB in two
 * passes, and that fits a machine of 32 MiB. */
#define PASSWORD_MEMORY_KIB 7168
#define PASSWORD_PASSES     5
/* What a hash that was brought along may cost at most. */
#define PASSWORD_MEMORY_MAX_KIB 19456

/* password_module_init - the arena, at least PASSWORD_MEMORY_KIB KiB big, and a
 * function that is called between slices of about 1 ms of work (NULL: none; the
 * AO suspends its coroutine there). One hash at a time. */
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
 * "$argon2id$v=19$m=..,t=..,p=1$salt$hash", within PASSWORD_MEMORY_MAX_KIB.
 */
bool password_hash_valid(const char *text);

/* ---- users.csv --------------------------------------------------------- */

struct csv_user {
    struct user user;   /* id 0; hash filled only when given ready */
    char password[256]; /* plain, or "" when a ready hash was given */
    char aliases[1024]; /* separated by single spaces */
    char forward[1024]; /* likewise: addresses that get the mail too */
    bool forward_only;  /* and no copy of it stays */
    unsigned line;      /* of the file, from 1 */
    /* Whether the file has these columns: else they are empty. */
    bool has_name, has_quota, has_admin;
};

/* csv_parse_users - parses a whole users.csv: header line with the columns
 * username,password,name,quota_mb,admin,aliases,forward in any order, the first
 * two required; RFC 4180 quoting, LF or CRLF, UTF-8 with or without BOM.
 * add: called for each user; its error stops the parsing.
 * message: on error, a sentence with line number and reason, at most
 * message_bytes; the file's name is put before it by the caller.
 * Returns OK or the error. */
enum err
csv_parse_users(const char *text, size_t len,
                enum err (*add)(void *context, const struct csv_user *user),
                void *context, char *message, size_t message_bytes) MUST_CHECK;

#endif
