/* weft import: a new store from the lines of weft export, as they are or rewritten.
 *
 * What a line does not say is made up: an origin of this run, the time before it, no subject. Sequences
 * are counted anew for each origin, and a cause follows the event that it names to its new position. */
#include "weft_verb.h"

#include "weft_json.h"
#include "weft_limits.h"
#include "weft_log_writer.h"
#include "weft_moved.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_progress.h"
#include "weft_record.h"
#include "weft_stop.h"
#include "weft_time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_BYTES_MAX (8u * WEFT_EVENT_BYTES_MAX) /* JSON may be longer than the event it means */
#define TRACE_BYTES 25u
#define TRACE_CHARS 55u /* 00-32-16-2 */

typedef struct {
    weft_args_t args;
    weft_log_writer_t *writer;
    weft_moved_t moved;
    weft_uuid_t origin; /* of lines that name none */
    weft_buf_t data;
    int64_t stored_us; /* of the last line */
    uint64_t lines, events, lost_causes;
    char reason[512];
} weft_import_t;

static weft_err_t s_bad(const weft_import_t *self, const char *format, ...) WEFT_PRINTF(2, 3);

static weft_err_t s_bad(const weft_import_t *self, const char *format, ...) {
    char text[384];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return weft_say(self->args.verb, WEFT_E_JSON, "line %" PRIu64 ": %s; nothing is imported",
                    self->lines, text);
}

/* ---- members of a line */

/* A text that may be missing: "" then. False: it is something else. */
static bool s_text(const json_t *line, const char *key, const char **text, size_t *size) {
    const json_t *value = json_object_get(line, key);
    *text = "";
    *size = 0;
    if (!value || json_is_null(value)) return true;
    if (!json_is_string(value)) return false;
    *text = json_string_value(value);
    *size = json_string_length(value);
    return true;
}

static bool s_number(const json_t *line, const char *key, uint64_t missing, uint64_t *out) {
    const json_t *value = json_object_get(line, key);
    *out = missing;
    if (!value || json_is_null(value)) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t) json_integer_value(value);
    return true;
}

static bool s_time(const json_t *line, const char *key, int64_t missing, int64_t *out) {
    const char *text;
    size_t size;
    *out = missing;
    if (!s_text(line, key, &text, &size)) return false;
    return !size || weft_time_parse(text, out);
}

static int s_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* W3C Trace Context as its header has it, version 00. */
static bool s_trace(const json_t *line, uint8_t bytes[TRACE_BYTES], bool *there) {
    const char *text;
    size_t size, n = 0;
    if (!s_text(line, "traceparent", &text, &size)) return false;
    *there = size != 0;
    if (!size) return true;
    if (size != TRACE_CHARS || strncmp(text, "00-", 3) != 0 || text[35] != '-' || text[52] != '-')
        return false;
    for (const char *at = text + 3; *at; at++) {
        if (*at == '-') continue;
        int high = s_digit(at[0]), low = s_digit(at[1]);
        if (high < 0 || low < 0 || n == TRACE_BYTES) return false;
        bytes[n++] = (uint8_t) (high << 4 | low);
        at++;
    }
    return n == TRACE_BYTES;
}

/* ---- one line */

typedef struct {
    const char *type, *origin_text;
    size_t type_size, origin_size;
    weft_uuid_t origin;
    uint64_t position;
    int64_t stored_us;
    uint8_t trace[TRACE_BYTES];
    weft_wire_event_t event;
} weft_import_line_t;

static weft_err_t s_read(weft_import_t *self, const json_t *json, weft_import_line_t *line) {
    weft_wire_event_t *event = &line->event;
    bool traced;
    *line = (weft_import_line_t){.origin = self->origin};
    if (!json_is_object(json)) return s_bad(self, "it is no object");
    if (json_object_get(json, "dataError"))
        return s_bad(self, "its data had no JSON form; delete dataError to have none");
    if (!s_text(json, "type", &line->type, &line->type_size) || !line->type_size)
        return s_bad(self, "type is missing, or no text");
    if (!s_text(json, "source", &event->source, &event->source_size) ||
        !s_text(json, "subject", &event->subject, &event->subject_size))
        return s_bad(self, "source and subject want text");
    if (!s_text(json, "origin", &line->origin_text, &line->origin_size) ||
        (line->origin_size && !weft_uuid_parse(&line->origin, line->origin_text)))
        return s_bad(self, "origin wants 32 hex digits");
    if (!s_number(json, "position", 0, &line->position) ||
        !s_number(json, "sequence", 1, &event->source_seq) ||
        !s_number(json, "cause", 0, &event->cause))
        return s_bad(self, "position, sequence and cause want whole numbers");
    if (!s_time(json, "stored", self->stored_us ? self->stored_us : weft_os_now_us(),
                &line->stored_us) ||
        !s_time(json, "time", line->stored_us, &event->time_us))
        return s_bad(self, "stored and time want RFC 3339, as 2026-11-25T12:00:00Z");
    if (!s_trace(json, line->trace, &traced))
        return s_bad(self, "traceparent wants 00-TRACE-PARENT-FLAGS");
    if (traced) event->traceparent = line->trace;
    if (!event->subject_size) event->subject = NULL;
    event->origin = line->origin.bytes;
    return WEFT_OK;
}

/* A cause that was left out points nowhere any more. */
static weft_err_t s_move(weft_import_t *self, weft_import_line_t *line) {
    if (line->position && line->position <= weft_moved_last(&self->moved))
        return s_bad(self,
                     "position %" PRIu64 " after %" PRIu64
                     ": keep the order of the log, or delete position and cause in all lines",
                     line->position, weft_moved_last(&self->moved));
    if (!line->event.cause) return WEFT_OK;
    line->event.cause = weft_moved_get(&self->moved, line->event.cause);
    self->lost_causes += !line->event.cause;
    return WEFT_OK;
}

static weft_err_t s_put(weft_import_t *self, weft_import_line_t *line) {
    uint64_t position = 0;
    weft_err_t rc = weft_wire_event_check(&line->event);
    if (rc == WEFT_E_TOO_BIG)
        return s_bad(self, "the event is beyond %u bytes, or its subject beyond %u",
                     WEFT_EVENT_BYTES_MAX, WEFT_SUBJECT_BYTES_MAX);
    if (rc != WEFT_OK)
        return s_bad(self,
                     "source wants 1 to %u bytes, and neither source nor subject may hold"
                     " control characters",
                     WEFT_SOURCE_BYTES_MAX);
    rc = weft_log_writer_put(self->writer, line->type, line->type_size, &line->event,
                             line->stored_us, &position);
    if (rc == WEFT_E_BAD_TYPE || rc == WEFT_E_TOO_BIG)
        return s_bad(self, "'%s' is no event type, or the event is too big", line->type);
    if (rc != WEFT_OK)
        return weft_say(self->args.verb, rc, "%s",
                        *self->reason ? self->reason : weft_err_text(rc));
    if (line->position && !weft_moved_put(&self->moved, line->position, position))
        return weft_say(self->args.verb, WEFT_E_NOMEM, "out of memory");
    self->events++;
    self->stored_us = line->stored_us;
    return WEFT_OK;
}

static weft_err_t s_data(weft_import_t *self, const json_t *json, weft_import_line_t *line) {
    char reason[128] = "";
    const json_t *data = json_object_get(json, "data");
    json_t *none = data ? NULL : json_null();
    weft_buf_clear(&self->data);
    weft_err_t rc = weft_json_put(&self->data, data ? data : none, reason, sizeof reason);
    json_decref(none);
    if (rc != WEFT_OK) return s_bad(self, "data: %s", *reason ? reason : weft_err_text(rc));
    line->event.data = self->data.data;
    line->event.data_size = self->data.size;
    return WEFT_OK;
}

static weft_err_t s_line(weft_import_t *self, const char *text, size_t size) {
    weft_import_line_t line;
    json_error_t error;
    self->lines++;
    if (strspn(text, " \t\r\n") == size) return WEFT_OK;
    if (size > LINE_BYTES_MAX) return s_bad(self, "it is beyond %u bytes", LINE_BYTES_MAX);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json) return s_bad(self, "column %d: %s", error.column, error.text);
    weft_err_t rc = s_read(self, json, &line);
    if (rc == WEFT_OK) rc = s_data(self, json, &line);
    if (rc == WEFT_OK) rc = s_move(self, &line);
    if (rc == WEFT_OK) rc = s_put(self, &line);
    json_decref(json);
    return rc;
}

/* ---- the verb */

/* In bytes where there is a file, else in lines. */
static void s_progress(const weft_import_t *self, weft_progress_t *progress, FILE *file) {
    long at = progress->total ? ftell(file) : -1;
    weft_progress_note(progress, at >= 0 ? (uint64_t) at : self->lines);
}

static void s_begin_progress(weft_progress_t *progress, FILE *file) {
    struct stat st;
    bool sized = fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    weft_progress_begin(progress, sized ? "bytes" : "lines", sized ? (uint64_t) st.st_size : 0);
}

/* Up to the end of the line, or one byte more than a line may have. A NUL is a byte like others: what
 * stands behind it must not be lost unseen. */
static bool s_next(FILE *file, char *text, size_t *size) {
    int byte = 0;
    for (*size = 0; *size <= LINE_BYTES_MAX && byte != '\n' && (byte = getc(file)) != EOF;)
        text[(*size)++] = (char) byte;
    text[*size] = '\0';
    return *size > 0 && !ferror(file);
}

static weft_err_t s_lines(weft_import_t *self, FILE *file, const char *name) {
    size_t size;
    char *text = malloc(LINE_BYTES_MAX + 2); /* one byte more than a line may have, and the NUL */
    weft_err_t rc = text ? WEFT_OK : WEFT_E_NOMEM;
    weft_progress_t progress;
    s_begin_progress(&progress, file);
    while (rc == WEFT_OK && s_next(file, text, &size)) {
        rc = s_line(self, text, size);
        if (self->lines % 256 == 0) s_progress(self, &progress, file);
        if (weft_stop_wanted()) rc = WEFT_E_INTERRUPTED;
    }
    if (rc == WEFT_OK && weft_stop_wanted()) rc = WEFT_E_INTERRUPTED;
    if (rc == WEFT_OK && ferror(file))
        rc = weft_say(self->args.verb, WEFT_E_IO, "cannot read %s: %s", name, strerror(errno));
    weft_progress_end(&progress);
    free(text);
    return rc;
}

static void s_done(const weft_import_t *self, const weft_log_check_t *check, const char *store) {
    char log[33];
    weft_uuid_text(log, check->log.bytes);
    if (self->args.json) {
        weft_out_json(json_pack("{s:s, s:s, s:I, s:I, s:I}", "to", store, "log", log, "events",
                                (json_int_t) self->events, "origins", (json_int_t) check->origins,
                                "causesLost", (json_int_t) self->lost_causes));
        return;
    }
    weft_out("whole: %" PRIu64 " events are in %s, a new log %s\n", self->events, store, log);
    if (self->lost_causes)
        weft_out("%" PRIu64 " causes named events that are not among them, and are gone\n",
                 self->lost_causes);
}

static weft_err_t s_import(weft_import_t *self, const char *store) {
    const char *name = self->args.words_count ? self->args.words[0] : "-";
    const weft_verb_t *verb = self->args.verb;
    weft_log_check_t check;
    bool stdin_ = strcmp(name, "-") == 0;
    FILE *file = stdin_ ? stdin : fopen(name, "re");
    if (!file) return weft_say(verb, WEFT_E_IO, "cannot read %s: %s", name, strerror(errno));
    weft_err_t rc = weft_log_writer_new(&self->writer, store, self->reason, sizeof self->reason);
    if (rc == WEFT_OK) {
        rc = s_lines(self, file, stdin_ ? "standard input" : name);
        if (rc == WEFT_OK) {
            rc = weft_log_writer_finish(self->writer, &check);
            if (rc != WEFT_OK) weft_say(verb, rc, "%s", self->reason);
        }
    } else {
        weft_say(verb, rc, "%s", *self->reason ? self->reason : weft_err_text(rc));
    }
    if (!stdin_) fclose(file);
    weft_log_writer_destroy(&self->writer);
    if (rc == WEFT_OK) s_done(self, &check, store);
    return rc;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_import_t self = {0};
    const char *store;
    const weft_verb_option_t options[] = {
        {"store", "DIR", "the store to make; not there yet, or empty", NULL, &store, NULL},
    };
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, options, 1);
    if (rc != WEFT_OK) return rc;
    if (!store) return weft_say_usage(verb, "--store DIR is missing: where to import to");
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    weft_os_uuid(&self.origin);
    weft_buf_init(&self.data);
    rc = s_import(&self, store);
    weft_moved_free(&self.moved);
    weft_buf_free(&self.data);
    return rc;
}

const weft_verb_t weft_verb_import = {
    .name = "import",
    .words = "[FILE]",
    .words_most = 1,
    .help = "make a new store of the lines that weft export wrote",
    .more =
        "Reads FILE, or standard input, with no bus: start one on the store afterwards. It is a new\n"
        "log with an id of its own: what has read or fed the old one refuses it by name (OTHER_LOG)\n"
        "until it is rebuilt or told to take it. Lines may be left out and rewritten; only type and\n"
        "source must be there. Order, times and origins stay; positions and sequences are counted\n"
        "anew, and causes follow. The store appears when all of it is written, checked and on disk.\n",
    .run = s_run,
};
