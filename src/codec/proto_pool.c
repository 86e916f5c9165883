/* SPDX-License-Identifier: Apache-2.0 */
/* Protobuf files that belong together, with everything in them by its name. Made once, at start-up;
 * immutable afterwards, so any thread. */
#include <stdlib.h>

#include "codec/proto.h"

struct named {
    struct str name;
    const void *what;
};

struct table {
    struct named *rows;
    size_t count;
    size_t room;
};

struct proto_pool {
    struct table files;
    struct table messages;
    struct table enums;
    struct table services;
    struct table methods;
    struct table symbols; /* what: the file */
    const struct proto_file **order;
    size_t file_count;
};

static int compare_rows(const void *x, const void *y)
{
    return str_cmp(((const struct named *)x)->name, ((const struct named *)y)->name);
}

static const void *find(const struct table *t, struct str name)
{
    struct named key = {name, NULL};
    const struct named *row = NULL;

    if (t->count > 0)
        row = bsearch(&key, t->rows, t->count, sizeof(*t->rows), compare_rows);
    return row ? row->what : NULL;
}

static void add(struct arena *a, struct table *t, struct str name, const void *what)
{
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct named *rows = arena_new_array(a, struct named, room);

        for (size_t i = 0; i < t->count; i++)
            rows[i] = t->rows[i];
        t->rows = rows;
        t->room = room;
    }
    t->rows[t->count++] = (struct named){name, what};
}

static void sort(struct table *t)
{
    if (t->count > 0)
        qsort(t->rows, t->count, sizeof(*t->rows), compare_rows);
}

static bool is_in(const struct proto_pool *p, const struct proto_file *file)
{
    for (size_t i = 0; i < p->files.count; i++) {
        if (p->files.rows[i].what == file)
            return true;
    }
    return false;
}

static void add_symbols(struct arena *a, struct proto_pool *p, const struct proto_file *file)
{
    for (size_t i = 0; i < file->message_count; i++)
        add(a, &p->messages, file->messages[i]->full_name, file->messages[i]);
    for (size_t i = 0; i < file->enum_count; i++)
        add(a, &p->enums, file->enums[i]->full_name, file->enums[i]);
    for (size_t i = 0; i < file->service_count; i++) {
        const struct proto_service *service = file->services[i];

        add(a, &p->services, service->full_name, service);
        for (size_t k = 0; k < service->method_count; k++)
            add(a, &p->methods, service->methods[k].path, &service->methods[k]);
    }
    for (size_t i = 0; i < file->symbol_count; i++)
        add(a, &p->symbols, file->symbols[i], file);
}

/* Imports cannot go in circles, so this ends. */
static void add_file(struct arena *a, struct proto_pool *p, const struct proto_file *file)
{
    if (is_in(p, file))
        return;
    for (size_t i = 0; i < file->dep_count; i++)
        add_file(a, p, file->deps[i]);
    add(a, &p->files, file->name, file);
    add_symbols(a, p, file);
}

struct proto_pool *proto_pool_new(struct arena *a, const struct proto_file *const *files,
                                  size_t count)
{
    struct proto_pool *p = arena_new_type(a, struct proto_pool);

    for (size_t i = 0; i < count; i++)
        add_file(a, p, files[i]);
    p->file_count = p->files.count;
    p->order = arena_new_array(a, const struct proto_file *, p->file_count);
    for (size_t i = 0; i < p->file_count; i++)
        p->order[i] = p->files.rows[i].what;
    sort(&p->files);
    sort(&p->messages);
    sort(&p->enums);
    sort(&p->services);
    sort(&p->methods);
    sort(&p->symbols);
    return p;
}

const struct proto_file *proto_pool_file(const struct proto_pool *p, struct str name)
{
    return find(&p->files, name);
}

const struct proto_message *proto_pool_message(const struct proto_pool *p, struct str full_name)
{
    return find(&p->messages, full_name);
}

const struct proto_enum *proto_pool_enum(const struct proto_pool *p, struct str full_name)
{
    return find(&p->enums, full_name);
}

const struct proto_service *proto_pool_service(const struct proto_pool *p, struct str full_name)
{
    return find(&p->services, full_name);
}

const struct proto_method *proto_pool_method(const struct proto_pool *p, struct str path)
{
    return find(&p->methods, path);
}

const struct proto_file *proto_pool_symbol(const struct proto_pool *p, struct str symbol)
{
    return find(&p->symbols, symbol);
}

const struct proto_file *proto_pool_extension(const struct proto_pool *p, struct str extendee,
                                              uint32_t number)
{
    for (size_t i = 0; i < p->file_count; i++) {
        const struct proto_file *file = p->order[i];

        for (size_t k = 0; k < file->extension_count; k++) {
            if (file->extensions[k].number == number &&
                str_eq(file->extensions[k].extendee, extendee))
                return file;
        }
    }
    return NULL;
}

const struct proto_file *const *proto_pool_files(const struct proto_pool *p, size_t *count)
{
    *count = p->file_count;
    return p->order;
}
