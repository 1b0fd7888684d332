/* HTML as text: the one list of the characters that mean something in it.
 * Header only: the workstation's tools use it as well. */
#ifndef CORE_MARKUP_H
#define CORE_MARKUP_H

#include <stddef.h>

/* markup_entity - what stands for a character in text and in values of
 * attributes, whichever quotes they have; NULL: itself. */
static inline const char *markup_entity(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

#endif
