/* weft_diag: one line on stderr for each cause, written in one call so that lines of threads and
 * processes do not mix.
 *
 * Callers give printf's format of key=value, values with spaces in quotes. The other forms are made from
 * that text, so that no caller knows of them. */
#include "weft_diag.h"

#include "weft_mp.h"
#include "weft_os.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 2048
#define OUT_BYTES 4096 /* quoting makes it longer; pipes take so much in one piece */
#define END_BYTES 3u   /* braces and a newline always have their place */
#define LEVELS 4u
#define UNKNOWN (-1)

static const char *const s_levels[] = {"debug", "info", "warn", "error", "off"};
static const char *const s_forms[] = {
    [WEFT_DIAG_TEXT] = "text", [WEFT_DIAG_LOGFMT] = "logfmt", [WEFT_DIAG_JSON] = "json"};

/* Set before the first signal may come; the environment is read once, since a line that is dropped must
 * cost nothing. */
static atomic_int s_least = UNKNOWN, s_form = UNKNOWN;
static atomic_uint_least64_t s_lines[LEVELS];

static int s_from_environment(const char *variable, const char *const *names, size_t count,
                              int otherwise) {
    const char *wanted = getenv(variable);
    for (size_t i = 0; wanted && i < count; i++)
        if (strcmp(wanted, names[i]) == 0) return (int) i;
    return otherwise;
}

static int s_least_of_environment(void) {
    return s_from_environment("WEFT_DIAG", s_levels, sizeof s_levels / sizeof *s_levels,
                              WEFT_DIAG_INFO);
}

static int s_least_now(void) {
    int least = atomic_load_explicit(&s_least, memory_order_relaxed);
    if (least != UNKNOWN) return least;
    least = s_least_of_environment();
    atomic_store_explicit(&s_least, least, memory_order_relaxed);
    return least;
}

static weft_diag_form_t s_form_now(void) {
    int form = atomic_load_explicit(&s_form, memory_order_relaxed);
    if (form == UNKNOWN) {
        form = s_from_environment("WEFT_DIAG_FORMAT", s_forms, sizeof s_forms / sizeof *s_forms,
                                  WEFT_DIAG_TEXT);
        atomic_store_explicit(&s_form, form, memory_order_relaxed);
    }
    return (weft_diag_form_t) form;
}

bool weft_diag_form_parse(const char *text, weft_diag_form_t *out) {
    for (size_t i = 0; i < sizeof s_forms / sizeof *s_forms; i++) {
        if (strcmp(text, s_forms[i]) != 0) continue;
        *out = (weft_diag_form_t) i;
        return true;
    }
    return false;
}

void weft_diag_set_form(weft_diag_form_t form) {
    atomic_store_explicit(&s_form, (int) form, memory_order_relaxed);
}

void weft_diag_more(void) {
    int least = s_least_now();
    if (least > WEFT_DIAG_DEBUG) atomic_store_explicit(&s_least, least - 1, memory_order_relaxed);
}

void weft_diag_back(void) {
    atomic_store_explicit(&s_least, s_least_of_environment(), memory_order_relaxed);
}

uint64_t weft_diag_lines(weft_diag_level_t level) {
    return atomic_load_explicit(&s_lines[level], memory_order_relaxed);
}

const char *weft_diag_level_name(weft_diag_level_t level) {
    return s_levels[level];
}

/* ---- a line under construction: what does not fit is left out as a whole */

typedef struct {
    char bytes[OUT_BYTES];
    size_t used;
    bool full;
} weft_line_t;

static void s_put(weft_line_t *line, const char *text, size_t size) {
    line->full = line->full || size > sizeof line->bytes - END_BYTES - line->used;
    if (line->full) return;
    memcpy(line->bytes + line->used, text, size);
    line->used += size;
}

/* In quotes, with those in it escaped: JSON and logfmt agree so far. Half a character, or bytes that are
 * none, become question marks. */
static void s_put_quoted(weft_line_t *line, const char *text, size_t size) {
    char quoted[2 * LINE_BYTES + 2];
    size_t used = 0;
    bool whole = weft_text_ok(text, size);
    quoted[used++] = '"';
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\') quoted[used++] = '\\';
        quoted[used++] = whole || (unsigned char) text[i] < 0x80 ? text[i] : '?';
    }
    quoted[used++] = '"';
    s_put(line, quoted, used);
}

static bool s_plain(const char *text, size_t size) {
    if (!size || !weft_text_ok(text, size)) return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] == ' ' || text[i] == '"' || text[i] == '=' || text[i] == '\\') return false;
    return true;
}

static void s_put_pair(weft_line_t *line, weft_diag_form_t form, const char *key, size_t key_size,
                       const char *value, size_t value_size) {
    weft_line_t pair;
    pair.used = 0;
    pair.full = false;
    if (line->used) s_put(&pair, form == WEFT_DIAG_JSON ? "," : " ", 1);
    if (form == WEFT_DIAG_JSON) {
        s_put_quoted(&pair, key, key_size);
        s_put(&pair, ":", 1);
        s_put_quoted(&pair, value, value_size);
    } else {
        s_put(&pair, key, key_size);
        s_put(&pair, "=", 1);
        if (s_plain(value, value_size))
            s_put(&pair, value, value_size);
        else
            s_put_quoted(&pair, value, value_size);
    }
    if (pair.full) return;
    s_put(line, pair.bytes, pair.used);
    line->full = false; /* a shorter one may still fit */
}

/* ---- the text of the caller, cut into its pairs */

/* How long is the key that text begins with, "key="? 0: there is none. */
static size_t s_key(const char *text) {
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return text[size] == '=' ? size : 0;
}

/* The quote that ends a value, since texts from elsewhere may hold some: it stands at the end or in front
 * of the next pair. */
static size_t s_until_quote(const char *text) {
    size_t size = 0;
    for (; text[size]; size++)
        if (text[size] == '"' &&
            (!text[size + 1] || (text[size + 1] == ' ' && s_key(text + size + 2))))
            break;
    return size;
}

static void s_put_pairs(weft_line_t *line, weft_diag_form_t form, const char *text) {
    while (*text) {
        size_t key = s_key(text);
        if (!key) { /* a word of its own is a text without a key */
            size_t size = strcspn(text, " ");
            if (size) s_put_pair(line, form, "text", 4, text, size);
            text += size;
        } else if (text[key + 1] == '"') {
            size_t size = s_until_quote(text + key + 2);
            s_put_pair(line, form, text, key, text + key + 2, size);
            text += key + 2 + size;
            if (*text) text++;
        } else {
            size_t size = strcspn(text + key + 1, " ");
            s_put_pair(line, form, text, key, text + key + 1, size);
            text += key + 1 + size;
        }
        text += strspn(text, " ");
    }
}

static void s_write(weft_line_t *line, weft_diag_form_t form, const char *time, const char *level,
                    const char *name, const char *text) {
    line->used = 0;
    line->full = false;
    if (form == WEFT_DIAG_TEXT) {
        size_t room = sizeof line->bytes - END_BYTES;
        int size = snprintf(line->bytes, room, "%s %s %s %s", time, level, name, text);
        line->used = size < (int) room ? (size_t) size : room - 1;
    } else {
        s_put_pair(line, form, "time", 4, time, strlen(time));
        s_put_pair(line, form, "level", 5, level, strlen(level));
        s_put_pair(line, form, "event", 5, name, strlen(name));
        s_put_pairs(line, form, text);
    }
    if (form == WEFT_DIAG_JSON) { /* the first byte was left for the brace */
        memmove(line->bytes + 1, line->bytes, line->used++);
        line->bytes[0] = '{';
        line->bytes[line->used++] = '}';
    }
    line->bytes[line->used++] = '\n';
}

void weft_diag(weft_diag_level_t level, const char *name, const char *format, ...) {
    if ((int) level < s_least_now()) return;
    int keep = errno;
    char text[LINE_BYTES], time_text[48];
    int64_t now = weft_os_now_us();
    time_t seconds = (time_t) (now / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t used = strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time_text + used, sizeof time_text - used, ".%03dZ", (int) (now / 1000 % 1000));
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = '\0';
    va_end(args);
    for (char *at = text; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f) *at = '?';
    weft_line_t line;
    s_write(&line, s_form_now(), time_text, s_levels[level], name, text);
    atomic_fetch_add_explicit(&s_lines[level], 1, memory_order_relaxed);
    while (write(STDERR_FILENO, line.bytes, line.used) < 0 && errno == EINTR) continue;
    errno = keep;
}
