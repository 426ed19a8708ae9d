/* web_pages: the files of the pages, from memory: compressed where the browser takes that, kept by it
 * for ever under an address with their version, or asked for again by their tag. */
#ifndef WEB_PAGES_H
#define WEB_PAGES_H

#include <stddef.h>

#include <http_server.h>

typedef struct {
    const char *name, *kind;
    const char *tag, *packed_tag; /* quoted, as in ETag */
    const unsigned char *plain;
    size_t plain_size;
    const unsigned char *packed; /* gzip */
    size_t packed_size;
} web_page_t;

/* Made from pages/ by embed_pages.py. */
extern const web_page_t web_pages[];
extern const size_t web_pages_count;
extern const char *const web_pages_version;

/* Handlers: a page by its path, and /assets/:version/:name. */
void web_pages_blog(http_request_t *request, void *arg);
void web_pages_mesh(http_request_t *request, void *arg);
void web_pages_asset(http_request_t *request, void *arg);

/* True if a header Accept-Encoding takes gzip. value may be NULL. Pure. */
bool web_pages_takes_gzip(const char *value);

#endif
