/* SPDX-License-Identifier: Apache-2.0 */
/* Line by line; a line that is wrong does not hide what is wrong with the next. */
#include "server/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/utf8.h"

struct parser {
    struct arena *arena;
    const char *name;
    unsigned line;
    struct str section; /* with the dot; empty at the top */
    bool section_bad;   /* its keys would only repeat the complaint */
    struct config_problems *problems;
};

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool is_key(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_key_char(s.p[i]))
            return false;
    }
    return s.len > 0;
}

static void complain(struct parser *p, const char *what)
{
    config_problem(p->problems, "%s:%u: %s", p->name, p->line, what);
}

/* Cuts a comment off: '#' at the start or after a blank. */
static struct str without_comment(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '#' && (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
            return str_trim(str_first(s, i));
    }
    return str_trim(s);
}

/* s begins with a quote. */
static int unquote(struct parser *p, struct str s, struct str *out)
{
    char *text = arena_alloc(p->arena, s.len);
    size_t len = 0, i = 1;

    for (; i < s.len && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\') {
            i++;
            if (i == s.len || (s.p[i] != '"' && s.p[i] != '\\')) {
                complain(p, "after a backslash in a quoted value comes \" or another backslash");
                return -1;
            }
        }
        text[len++] = s.p[i];
    }
    if (i == s.len) {
        complain(p, "the closing quote is missing; write key = \"value\"");
        return -1;
    }
    if (without_comment(str_trim(str_skip(s, i + 1))).len > 0) {
        complain(p, "something follows the closing quote; write key = \"value\"");
        return -1;
    }
    *out = str_make(text, len);
    return 0;
}

static void take_section(struct parser *p, struct str line)
{
    struct str rest = str_skip(line, 1);
    bool closed = str_index(rest, ']') >= 0;
    struct str name = str_trim(str_cut(&rest, ']'));

    p->section_bad = true;
    if (!closed || !is_key(name)) {
        complain(p, "a section is written as [name]");
        return;
    }
    if (without_comment(rest).len > 0) {
        complain(p, "something follows the section; write [name] on a line of its own");
        return;
    }
    p->section = arena_printf(p->arena, "%.*s.", STR_ARG(name));
    p->section_bad = false;
}

static int take_setting(struct parser *p, struct str line, struct config_setting *out)
{
    struct str rest = line;
    bool has_value = str_index(line, '=') >= 0;
    struct str key = str_trim(str_cut(&rest, '='));
    struct str value = str_trim(rest);

    if (!has_value) {
        complain(p, "a line is written as key = value, [section] or # comment");
        return -1;
    }
    if (!is_key(key)) {
        complain(p, "the key before = has only small letters, digits, dots and underscores");
        return -1;
    }
    if (value.len > 0 && value.p[0] == '"') {
        if (unquote(p, value, &value) < 0)
            return -1;
    } else {
        value = without_comment(value);
    }
    out->key = arena_printf(p->arena, "%.*s%.*s", STR_ARG(p->section), STR_ARG(key));
    out->value = value;
    out->line = p->line;
    return 0;
}

/* What no line may hold, wherever it stands. */
static const char *fault_of(struct str line)
{
    if (line.len > CONFIG_FILE_MAX_LINE)
        return "the line is too long";
    if (!utf8_is_valid(line))
        return "the line is not UTF-8";
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.p[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "the line holds a control character";
    }
    return NULL;
}

void config_file_parse(struct arena *a, const char *name, struct str text,
                       void (*fn)(void *arg, const struct config_setting *setting), void *arg,
                       struct config_problems *problems)
{
    struct parser p = {.arena = a, .name = name, .section = STR(""), .problems = problems};

    if (text.len > CONFIG_FILE_MAX_BYTES) {
        config_problem(problems, "%s: the file is larger than %zu bytes", name,
                       CONFIG_FILE_MAX_BYTES);
        return;
    }
    if (str_starts_with(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);

    while (text.len > 0) {
        struct str line = str_cut(&text, '\n');
        struct config_setting setting;

        p.line++;
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;

        const char *fault = fault_of(line);

        line = str_trim(line);
        if (fault)
            complain(&p, fault);
        else if (line.len == 0 || line.p[0] == '#')
            continue;
        else if (line.p[0] == '[')
            take_section(&p, line);
        else if (!p.section_bad && take_setting(&p, line, &setting) == 0)
            fn(arg, &setting);
    }
}

static void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

int config_file_read(struct arena *a, const char *path, struct str *text, struct config_problems *p)
{
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        config_problem(p, "%s: cannot read the configuration file: %s", path,
                       strerrordesc_np(errno));
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        config_problem(p, "%s: is not a file", path);
        return -1;
    }
    if ((uint64_t)st.st_size > CONFIG_FILE_MAX_BYTES) {
        config_problem(p, "%s: the file is larger than %zu bytes", path, CONFIG_FILE_MAX_BYTES);
        return -1;
    }

    size_t room = (size_t)st.st_size, len = 0;
    char *data = arena_alloc(a, room + 1);

    while (len < room) {
        ssize_t n = read(fd, data + len, room - len);

        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1) {
            config_problem(p, "%s: cannot read the configuration file: %s", path,
                           strerrordesc_np(errno));
            return -1;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *text = str_make(data, len);
    return 0;
}
