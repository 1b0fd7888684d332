/* Doubly linked ring with a head that is not an element.
 *
 * The node is embedded in the element; LIST_ELEMENT gets back from the one to
 * the other. A node that is in no list points at itself, so list_remove() may
 * be called on it again. */
#ifndef CORE_LIST_H
#define CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

#define LIST_ELEMENT(node, type, member)                                       \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *node)
{
    node->next = node;
    node->previous = node;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Puts node, which must be in no list, before `before`; with the head as
 * `before` it becomes the last element. */
static inline void list_insert(struct list *before, struct list *node)
{
    node->next = before;
    node->previous = before->previous;
    before->previous->next = node;
    before->previous = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert(head, node);
}

static inline void list_remove(struct list *node)
{
    node->next->previous = node->previous;
    node->previous->next = node->next;
    list_init(node);
}

/* Takes the first node out of the list; NULL when there is none. */
static inline struct list *list_take_first(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

#endif
