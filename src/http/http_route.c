/* http_route: which handler serves a method and a path. Pure. */
#include "http_route.h"

#include <stdlib.h>
#include <string.h>

#include "http_text.h"

http_path_result_t http_path_cut(http_path_t *out, const char *path, size_t size) {
    *out = (http_path_t){0};
    if (!size || path[0] != '/') return HTTP_PATH_BAD;
    if (size > 1 && path[size - 1] == '/') size--;
    char *room = out->storage = malloc(size + 1); /* each slash leaves room for a NUL */
    if (!room) return HTTP_PATH_NOMEM;
    if (size == 1) return HTTP_PATH_OK;
    for (size_t at = 1; at <= size;) {
        const char *slash = memchr(path + at, '/', size - at);
        size_t end = slash ? (size_t) (slash - path) : size;
        if (out->count == HTTP_SEGMENTS_MAX) return HTTP_PATH_DEEP;
        if (!http_percent_decode(path + at, end - at, false, room)) return HTTP_PATH_BAD;
        out->segments[out->count++] = room;
        room += strlen(room) + 1;
        at = end + 1;
    }
    return HTTP_PATH_OK;
}

void http_path_clear(http_path_t *path) {
    free(path->storage);
    *path = (http_path_t){0};
}

/* The next segment of a pattern, without its slash; false at the end. */
static bool s_next(const char **pattern, const char **segment, size_t *size) {
    if (**pattern != '/' || !(*pattern)[1]) return false;
    *segment = *pattern + 1;
    *size = strcspn(*segment, "/");
    *pattern = *segment + *size;
    return true;
}

bool http_pattern_match(const char *pattern, const http_path_t *path) {
    const char *segment;
    size_t size, i = 0;
    for (; s_next(&pattern, &segment, &size); i++) {
        if (i == path->count) return false;
        const char *value = path->segments[i];
        if (*segment == ':') {
            if (!*value) return false;
        } else if (strlen(value) != size || memcmp(value, segment, size) != 0) {
            return false;
        }
    }
    return i == path->count;
}

const char *http_pattern_param(const char *pattern, const http_path_t *path, const char *name) {
    const char *segment;
    size_t size, name_size = strlen(name);
    for (size_t i = 0; i < path->count && s_next(&pattern, &segment, &size); i++)
        if (*segment == ':' && size == name_size + 1 && memcmp(segment + 1, name, name_size) == 0)
            return path->segments[i];
    return NULL;
}

static bool s_listed(const char *allow, const char *method) {
    size_t size = strlen(method);
    for (const char *at = allow; (at = strstr(at, method)); at += size)
        if ((at == allow || at[-1] == ' ') && (at[size] == ',' || !at[size])) return true;
    return false;
}

static void s_list(char *allow, const char *method) {
    size_t used = strlen(allow);
    if (s_listed(allow, method) || used + strlen(method) + 3 > HTTP_ALLOW_BYTES) return;
    if (used) {
        memcpy(allow + used, ", ", 2);
        used += 2;
    }
    memcpy(allow + used, method, strlen(method) + 1);
}

http_route_result_t http_route_find(const http_route_t *routes, size_t count, const char *method,
                                    const http_path_t *path, const http_route_t **out,
                                    char *allow) {
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    *out = NULL;
    *allow = 0;
    for (size_t i = 0; i < count; i++) {
        if (!http_pattern_match(routes[i].pattern, path)) continue;
        if (!*out && strcmp(routes[i].method, wanted) == 0) *out = &routes[i];
        s_list(allow, routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0) s_list(allow, "HEAD");
    }
    if (!*allow) return HTTP_ROUTE_NO_PATH;
    s_list(allow, "OPTIONS");
    return *out ? HTTP_ROUTE_FOUND : HTTP_ROUTE_NO_METHOD;
}
