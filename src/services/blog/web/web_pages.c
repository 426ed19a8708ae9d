/* web_pages: see web_pages.h.
 *
 * The policy of the pages: everything from here and nothing from elsewhere, no script or style within
 * the page, and no text that becomes HTML (the sinks for that are closed by trusted types). */
#include "web_pages.h"

#include <string.h>
#include <strings.h>

#define POLICY                                                                                      \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "                                 \
    "require-trusted-types-for 'script'; trusted-types 'none'"

/* Spaces may stand around everything. Moves *at past what was taken. */
static size_t s_word(const char **at, const char *end_set) {
    *at += strspn(*at, " \t");
    size_t size = strcspn(*at, end_set);
    while (size && strchr(" \t", (*at)[size - 1])) size--;
    return size;
}

bool web_pages_takes_gzip(const char *value) {
    bool any = false;
    while (value && *value) {
        const char *item = value;
        size_t size = s_word(&item, ",;");
        bool gzip = size == 4 && strncasecmp(item, "gzip", 4) == 0;
        bool star = size == 1 && *item == '*';
        value = item + strcspn(item, ",");
        const char *quality = memchr(item, ';', (size_t) (value - item));
        bool zero = false;
        if (quality) {
            quality++;
            size = s_word(&quality, ",");
            /* "q=0", "q=0.000" */
            zero = size > 2 && strncasecmp(quality, "q=", 2) == 0 &&
                   strspn(quality + 2, "0.") >= size - 2;
        }
        if (gzip) return !zero;
        if (star) any = !zero;
        if (*value) value++;
    }
    return any;
}

/* If-None-Match: a list of tags, or '*'. Weak ones compare alike. */
static bool s_has(const char *list, const char *tag) {
    if (!list) return false;
    return strcmp(list, "*") == 0 || strstr(list, tag);
}

static void s_serve(http_request_t *request, const web_page_t *page, bool for_ever) {
    bool packed = web_pages_takes_gzip(http_request_header(request, "Accept-Encoding"));
    const char *tag = packed ? page->packed_tag : page->tag;
    http_answer_header(request, "ETag", tag);
    http_answer_header(request, "Vary", "Accept-Encoding");
    http_answer_header(request, "Cache-Control",
                       for_ever ? "public, max-age=31536000, immutable" : "no-cache");
    http_answer_header(request, "Cross-Origin-Resource-Policy", "same-origin");
    if (!for_ever) { /* it is the page that has a policy, and not what it loads */
        http_answer_header(request, "Content-Security-Policy", POLICY);
        http_answer_header(request, "Referrer-Policy", "no-referrer");
        http_answer_header(request, "Cross-Origin-Opener-Policy", "same-origin");
    }
    if (s_has(http_request_header(request, "If-None-Match"), tag)) {
        http_answer_empty(request, 304);
        return;
    }
    if (packed) http_answer_header(request, "Content-Encoding", "gzip");
    http_answer_data(request, 200, page->kind, packed ? page->packed : page->plain,
                     packed ? page->packed_size : page->plain_size);
}

static const web_page_t *s_find(const char *name) {
    for (size_t i = 0; i < web_pages_count; i++)
        if (strcmp(web_pages[i].name, name) == 0) return &web_pages[i];
    return NULL;
}

void web_pages_blog(http_request_t *request, void *arg) {
    (void) arg;
    s_serve(request, s_find("blog.html"), false);
}

void web_pages_mesh(http_request_t *request, void *arg) {
    (void) arg;
    s_serve(request, s_find("mesh.html"), false);
}

/* Another version's files are gone: an old page that asks for them is to be loaded anew. */
void web_pages_asset(http_request_t *request, void *arg) {
    (void) arg;
    const web_page_t *page = s_find(http_request_param(request, "name"));
    if (!page || strcmp(http_request_param(request, "version"), web_pages_version) != 0)
        http_answer_error(request, 404, "no such file", NULL);
    else
        s_serve(request, page, true);
}
