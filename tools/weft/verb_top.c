/* weft top: the mesh on one screen, live; or a snapshot each interval for programs. */
#include "weft_verb.h"

#include "weft_options.h"
#include "weft_os.h"
#include "weft_out.h"
#include "weft_screen.h"
#include "weft_stop.h"
#include "weft_table.h"

#include <poll.h>
#include <unistd.h>

#define ASK_MS 800 /* while the screen stands: keys are not to wait long for a bus that is away */

typedef struct {
    weft_args_t args;
    weft_ask_t ask;
    weft_top_t top;
    weft_screen_view_t view;
    int64_t interval_ms;
    uint64_t count, done; /* snapshots; count 0: no end */
} weft_top_run_t;

static bool s_enough(const weft_top_run_t *self) {
    return weft_stop_wanted() || (self->count && self->done >= self->count);
}

/* ---- for programs */

static void s_wait(int64_t until_ms) {
    struct pollfd stop = {.fd = weft_stop_fd(), .events = POLLIN};
    int64_t left = until_ms - weft_os_monotonic_ms();
    if (left > 0) poll(&stop, 1, (int) left);
}

static weft_err_t s_lines(weft_top_run_t *self) {
    for (;;) {
        int64_t next_ms = weft_os_monotonic_ms() + self->interval_ms;
        if (!weft_top_sample(&self->top, &self->ask, self->args.timeout_ms, self->args.bus))
            return weft_ask_failed(&self->ask, &self->args, self->top.error);
        weft_out_json(weft_top_json(&self->top));
        weft_err_t rc = weft_out_flush();
        self->done++;
        if (rc != WEFT_OK || s_enough(self)) return rc;
        s_wait(next_ms);
        if (s_enough(self)) return WEFT_OK;
    }
}

/* ---- for people */

/* False: q. */
static bool s_keys(weft_top_run_t *self, int64_t until_ms) {
    int64_t left;
    while (!weft_stop_wanted() && (left = until_ms - weft_os_monotonic_ms()) > 0) {
        switch (weft_screen_key((int) left)) {
        case WEFT_KEY_QUIT: return false;
        case WEFT_KEY_SORT: self->view.by_lag = !self->view.by_lag; break;
        case WEFT_KEY_UP: self->view.above -= self->view.above > 0; break;
        case WEFT_KEY_DOWN: self->view.above++; break;
        case WEFT_KEY_RESIZE: break;
        case WEFT_KEY_NONE: continue;
        }
        weft_screen_draw(&self->top, &self->view, self->args.bus);
    }
    return true;
}

static void s_live(weft_top_run_t *self) {
    bool more = true;
    while (more) {
        int64_t next_ms = weft_os_monotonic_ms() + self->interval_ms;
        weft_screen_draw(&self->top, &self->view, self->args.bus);
        self->done++;
        more = s_keys(self, next_ms) && !s_enough(self);
        if (more) weft_top_sample(&self->top, &self->ask, ASK_MS, self->args.bus);
    }
}

static weft_err_t s_screen(weft_top_run_t *self) {
    if (!weft_top_sample(&self->top, &self->ask, self->args.timeout_ms, self->args.bus))
        return weft_ask_failed(&self->ask, &self->args, self->top.error);
    if (!weft_term() || !isatty(STDIN_FILENO))
        return weft_say_usage(self->args.verb, "this is no terminal; --json prints snapshots");
    if (!weft_screen_open())
        return weft_say(self->args.verb, WEFT_E_IO,
                        "this terminal cannot be drawn on; set TERM, or use --json");
    s_live(self);
    weft_screen_close();
    return WEFT_OK;
}

static weft_err_t s_run(const weft_verb_t *verb, int argc, char **argv) {
    weft_top_run_t self = {0};
    const char *interval, *count;
    const weft_verb_option_t options[] = {
        {"interval", "SECONDS", "from look to look", "1", &interval, NULL},
        {"count", "N", "end after N looks", NULL, &count, NULL},
    };
    weft_err_t rc = weft_args_parse(&self.args, verb, argc, argv, options, 2);
    if (rc != WEFT_OK) return rc;
    if (!weft_args_seconds(interval, &self.interval_ms) || self.interval_ms < 100)
        return weft_say_usage(verb, "--interval '%s' is no number of seconds from 0.1 on",
                              interval);
    if (count && !weft_options_number(count, 1, INT64_MAX, &self.count))
        return weft_say_usage(verb, "--count '%s' is no number from 1 on", count);
    if (!weft_stop_take()) return weft_say(verb, WEFT_E_IO, "cannot take signals");
    rc = weft_ask_begin(&self.ask, &self.args);
    if (rc != WEFT_OK) return rc;
    rc = self.args.json ? s_lines(&self) : s_screen(&self);
    weft_ask_close(&self.ask);
    weft_top_free(&self.top);
    return rc;
}

const weft_verb_t weft_verb_top = {
    .name = "top",
    .words = "",
    .help = "watch bus and services on a live screen",
    .more =
        "Each second: events and commits a second, and each service with its lag, the events that it\n"
        "applies a second, its outbox and parked events. q quits, s sorts by lag or by name, arrows\n"
        "scroll. With --json one snapshot a line; the first one knows no rates.\n",
    .run = s_run,
    .online = true,
};
