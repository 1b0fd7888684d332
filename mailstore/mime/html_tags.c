/* The elements of HTML that mail may use. */
#include "mailstore/mime/html_internal.h"
#include <string.h>

struct tag {
    const char *name;
    uint8_t kind; /* enum html_kind */
};

/* In the order of their names; the first one is none. */
static const struct tag tags[] = {
    {"", HTML_UNKNOWN},
    {"a", HTML_A},
    {"abbr", HTML_SPAN},
    {"acronym", HTML_SPAN},
    {"address", HTML_DIV},
    {"article", HTML_DIV},
    {"aside", HTML_DIV},
    {"b", HTML_SPAN},
    {"bdi", HTML_SPAN},
    {"bdo", HTML_SPAN},
    {"big", HTML_SPAN},
    {"blockquote", HTML_QUOTE},
    {"body", HTML_BODY},
    {"br", HTML_BR},
    {"caption", HTML_TABLE_PART},
    {"center", HTML_DIV},
    {"cite", HTML_SPAN},
    {"code", HTML_SPAN},
    {"col", HTML_VOID},
    {"colgroup", HTML_TABLE_PART},
    {"dd", HTML_DT},
    {"del", HTML_SPAN},
    {"details", HTML_DIV},
    {"dfn", HTML_SPAN},
    {"dir", HTML_LIST},
    {"div", HTML_DIV},
    {"dl", HTML_LIST},
    {"dt", HTML_DT},
    {"em", HTML_SPAN},
    {"figcaption", HTML_DIV},
    {"figure", HTML_DIV},
    {"font", HTML_SPAN},
    {"footer", HTML_DIV},
    {"h1", HTML_P},
    {"h2", HTML_P},
    {"h3", HTML_P},
    {"h4", HTML_P},
    {"h5", HTML_P},
    {"h6", HTML_P},
    {"header", HTML_DIV},
    {"hr", HTML_HR},
    {"i", HTML_SPAN},
    {"iframe", HTML_RAW},
    {"img", HTML_IMG},
    {"ins", HTML_SPAN},
    {"kbd", HTML_SPAN},
    {"li", HTML_LI},
    {"main", HTML_DIV},
    {"mark", HTML_SPAN},
    {"menu", HTML_LIST},
    {"nav", HTML_DIV},
    {"nobr", HTML_SPAN},
    {"noembed", HTML_RAW},
    {"noframes", HTML_RAW},
    {"ol", HTML_LIST},
    {"p", HTML_P},
    {"pre", HTML_PRE},
    {"q", HTML_SPAN},
    {"rp", HTML_SPAN},
    {"rt", HTML_SPAN},
    {"ruby", HTML_SPAN},
    {"s", HTML_SPAN},
    {"samp", HTML_SPAN},
    {"script", HTML_RAW},
    {"section", HTML_DIV},
    {"small", HTML_SPAN},
    {"span", HTML_SPAN},
    {"strike", HTML_SPAN},
    {"strong", HTML_SPAN},
    {"style", HTML_STYLE},
    {"sub", HTML_SPAN},
    {"summary", HTML_DIV},
    {"sup", HTML_SPAN},
    {"table", HTML_TABLE},
    {"tbody", HTML_TABLE_PART},
    {"td", HTML_TD},
    {"tfoot", HTML_TABLE_PART},
    {"th", HTML_TD},
    {"thead", HTML_TABLE_PART},
    {"time", HTML_SPAN},
    {"title", HTML_RAW},
    {"tr", HTML_TR},
    {"tt", HTML_SPAN},
    {"u", HTML_SPAN},
    {"ul", HTML_LIST},
    {"var", HTML_SPAN},
    {"wbr", HTML_VOID},
};

#define TAGS (sizeof tags / sizeof *tags)
_Static_assert(TAGS <= UINT8_MAX, "a number of one byte");

uint8_t html_tag_find(const char *name, size_t len)
{
    unsigned low = 1, high = TAGS;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = strncmp(tags[middle].name, name, len);

        if (order == 0 && tags[middle].name[len] == '\0')
            return (uint8_t)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

const char *html_tag_name(uint8_t tag)
{
    return tags[tag].name;
}

enum html_kind html_tag_kind(uint8_t tag)
{
    return tags[tag].kind;
}

bool html_tag_void(uint8_t tag)
{
    enum html_kind kind = tags[tag].kind;

    return kind == HTML_IMG || kind == HTML_BR || kind == HTML_HR ||
           kind == HTML_VOID;
}
