/* http_text: the pure text work of HTTP. No I/O, no allocation; all input is hostile. */
#include "http_text.h"

#include <string.h>
#include <strings.h>

/* Length of the well-formed sequence at text, 0 if there is none (Unicode, table 3-7). */
static size_t s_utf8_step(const unsigned char *text, size_t size, uint32_t *out) {
    unsigned char first = text[0];
    if (first < 0x80) {
        *out = first;
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || length > size) return 0;
    uint32_t code = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) return 0;
        code = (code << 6) | (text[i] & 0x3Fu);
    }
    if (length == 3 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))) return 0;
    if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return 0;
    *out = code;
    return length;
}

bool http_utf8_valid(const char *text, size_t size, size_t *count) {
    size_t characters = 0;
    for (size_t at = 0; at < size; characters++) {
        uint32_t code;
        size_t length = s_utf8_step((const unsigned char *) text + at, size - at, &code);
        if (!length) return false;
        at += length;
    }
    if (count) *count = characters;
    return true;
}

static bool s_is_space(uint32_t code) {
    return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200D) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x2060 || code == 0x3000 ||
           code == 0xFEFF;
}

bool http_text_blank(const char *text) {
    size_t size = strlen(text);
    for (size_t at = 0; at < size;) {
        uint32_t code;
        size_t length = s_utf8_step((const unsigned char *) text + at, size - at, &code);
        if (!length || !s_is_space(code)) return false;
        at += length;
    }
    return true;
}

static int s_hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool http_percent_decode(const char *text, size_t size, bool plus, char *out) {
    size_t used = 0;
    for (size_t at = 0; at < size; at++) {
        char byte = text[at];
        if (byte == '%') {
            int high = at + 2 < size ? s_hex(text[at + 1]) : -1;
            int low = at + 2 < size ? s_hex(text[at + 2]) : -1;
            if (high < 0 || low < 0) return false;
            byte = (char) (high * 16 + low);
            at += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        if (!byte) return false;
        out[used++] = byte;
    }
    out[used] = 0;
    return http_utf8_valid(out, used, NULL);
}

http_query_t http_query_find(const char *query, const char *name, char *value, size_t value_size) {
    size_t name_size = strlen(name);
    while (*query) {
        size_t size = strcspn(query, "&");
        if (size >= name_size && memcmp(query, name, name_size) == 0 &&
            (size == name_size || query[name_size] == '=')) {
            const char *raw = query + name_size + (size > name_size);
            size_t raw_size = (size_t) (query + size - raw);
            if (raw_size >= value_size) return HTTP_QUERY_BAD;
            return http_percent_decode(raw, raw_size, true, value) ? HTTP_QUERY_OK : HTTP_QUERY_BAD;
        }
        query += size;
        if (*query == '&') query++;
    }
    return HTTP_QUERY_ABSENT;
}

bool http_text_number(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        uint64_t digit = (uint64_t) (*text - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (value < min || value > max) return false;
    *out = value;
    return true;
}

static const char *s_skip_spaces(const char *text) {
    return text + strspn(text, " \t");
}

bool http_media_json(const char *value) {
    static const char type[] = "application/json", charset[] = "charset=";
    if (!value) return false;
    value = s_skip_spaces(value);
    if (strncasecmp(value, type, sizeof type - 1) != 0) return false;
    value = s_skip_spaces(value + sizeof type - 1);
    if (!*value) return true;
    if (*value != ';') return false;
    value = s_skip_spaces(value + 1);
    if (!*value) return true;
    if (strncasecmp(value, charset, sizeof charset - 1) != 0) return false;
    value += sizeof charset - 1;
    size_t quote = *value == '"';
    value += quote;
    if (strncasecmp(value, "utf-8", 5) != 0) return false;
    value += 5;
    if (quote && *value++ != '"') return false;
    return !*s_skip_spaces(value);
}

void http_text_for_diag(const char *text, char *out, size_t out_size) {
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (; *text && used + 4 < out_size; text++) {
        unsigned char byte = (unsigned char) *text;
        if (byte > 0x20 && byte < 0x7F && byte != '"') {
            out[used++] = (char) byte;
        } else {
            out[used++] = '%';
            out[used++] = digits[byte >> 4];
            out[used++] = digits[byte & 15];
        }
    }
    out[used] = 0;
}

bool http_listen_parse(const char *text, char *host, size_t host_size, uint16_t *port) {
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text) return false;
    const char *end = colon;
    if (*text == '[') {
        if (end[-1] != ']') return false;
        text++;
        end--;
    } else if (memchr(text, ':', (size_t) (colon - text))) {
        return false; /* an IPv6 address needs its brackets */
    }
    size_t size = (size_t) (end - text);
    uint64_t number;
    if (!size || size >= host_size || !http_text_number(colon + 1, 0, UINT16_MAX, &number))
        return false;
    memcpy(host, text, size);
    host[size] = 0;
    *port = (uint16_t) number;
    return true;
}

bool http_listen_loopback(const char *text) {
    char host[64];
    uint16_t port;
    if (!http_listen_parse(text, host, sizeof host, &port)) return strlen(text) < sizeof host;
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

uint64_t http_hash(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}
