/* http_text: the pure text work of HTTP: escapes, UTF-8, queries, media types, addresses. */
#ifndef HTTP_TEXT_H
#define HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if text[0..size) is well-formed UTF-8 (no surrogates, nothing overlong or beyond U+10FFFF).
 * count  out: characters (code points); untouched if false. May be NULL. */
bool http_utf8_valid(const char *text, size_t size, size_t *count);

/* True if there is nothing to see in it: empty, or white space of any script. text is valid UTF-8. */
bool http_text_blank(const char *text);

/* Undo %XX in text[0..size), and with plus also '+' for a space, as in queries.
 * out  room for size + 1 bytes; ends with a NUL.
 * Returns false for a cut or malformed escape, a NUL byte, or a result that is not UTF-8. */
bool http_percent_decode(const char *text, size_t size, bool plus, char *out);

typedef enum { HTTP_QUERY_ABSENT, HTTP_QUERY_OK, HTTP_QUERY_BAD } http_query_t;

/* Find name in a raw query "a=1&b=2"; the first one counts.
 * value  out: value_size bytes, decoded. BAD: malformed, or longer than that. */
http_query_t http_query_find(const char *query, const char *name, char *value, size_t value_size);

/* Digits alone, min..max. */
bool http_text_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* True for "application/json", alone or with charset=utf-8. value may be NULL. */
bool http_media_json(const char *value);

/* Copy a path for a line of diagnostics: what would break key=value becomes %XX, a long one is cut. */
void http_text_for_diag(const char *text, char *out, size_t out_size);

/* Cut "HOST:PORT" or "[HOST]:PORT" in two.
 * host  out: host_size bytes. port out: 0..65535.
 * Returns false if it has another form or the host doesn't fit. */
bool http_listen_parse(const char *text, char *host, size_t host_size, uint16_t *port);

/* True if "HOST:PORT" names this machine's loopback: 127.x, [::1] or localhost. True as well for what has
 * another form: whoever listens says what is wrong with it. */
bool http_listen_loopback(const char *text);

/* FNV-1a, 64 bits: tells bodies apart, is no defence against a forger. */
uint64_t http_hash(const void *data, size_t size);

#endif
