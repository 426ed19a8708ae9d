/* weft_screen: see weft_screen.h. What does not fit is cut: at the right, and below the last row. */
#include "weft_screen.h"

#include "weft_os.h"
#include "weft_state.h"
#include "weft_table.h"

#include <locale.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 1024u
#define TABLE_ROW 6 /* of its heading */
#define OLD_S 3     /* a state older than this is said to be old */

static bool s_utf8;

/* ---- the terminal */

bool weft_screen_open(void) {
    setlocale(LC_CTYPE, "");
    s_utf8 = MB_CUR_MAX > 1;
    if (!newterm(NULL, stdout, stdin)) return false;
    if (weft_term_colours() && has_colors()) {
        start_color();
        use_default_colors();
        init_pair(WEFT_GREEN, COLOR_GREEN, -1);
        init_pair(WEFT_YELLOW, COLOR_YELLOW, -1);
        init_pair(WEFT_RED, COLOR_RED, -1);
    }
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    return true;
}

void weft_screen_close(void) {
    endwin();
}

weft_key_t weft_screen_key(int timeout_ms) {
    timeout(timeout_ms);
    switch (getch()) {
    case 'q':
    case 'Q': return WEFT_KEY_QUIT;
    case 's':
    case 'S': return WEFT_KEY_SORT;
    case KEY_UP:
    case 'k': return WEFT_KEY_UP;
    case KEY_DOWN:
    case 'j': return WEFT_KEY_DOWN;
    case KEY_RESIZE: return WEFT_KEY_RESIZE;
    default: return WEFT_KEY_NONE;
    }
}

/* ---- drawing: the cursor moves along, texts are cut at the edge */

static void s_colour(weft_colour_t colour) {
    attrset(colour == WEFT_BOLD ? A_BOLD : colour ? COLOR_PAIR(colour) : A_NORMAL);
}

static void s_text(weft_colour_t colour, const char *format, ...) WEFT_PRINTF(2, 3);

static void s_text(weft_colour_t colour, const char *format, ...) {
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *at = text; *at; at++)
        if ((unsigned char) *at < 0x20 || *at == 0x7f) *at = '?'; /* names come from strangers */
    int room = getmaxx(stdscr) - getcurx(stdscr) - 1;
    if (room <= 0) return;
    s_colour(colour);
    addnstr(text, room);
    s_colour(WEFT_PLAIN);
}

/* "1234", "12.3k", "4.5M": at most five characters. */
static const char *s_count(char out[16], double number) {
    static const char *const units[] = {"", "k", "M", "G", "T"};
    size_t unit = 0;
    while (number >= 9999.5 && unit < 4) number /= 1000, unit++;
    snprintf(out, 16, unit && number < 99.95 ? "%.1f%s" : "%.0f%s", number, units[unit]);
    return out;
}

/* The same with a tenth where that says something; "-" if it is not known yet. */
static const char *s_rate(char out[16], double number) {
    if (number < 0) return "-";
    if (number < 0.05 || number >= 9.95) return s_count(out, number);
    snprintf(out, 16, "%.1f", number);
    return out;
}

static void s_head(const weft_top_t *top, const char *bus) {
    char up[WEFT_AGO_BYTES], rate[16], commits[16];
    const json_t *state = top->state, *counters = json_object_get(state, "counters");
    double old = (double) (weft_os_monotonic_ms() - top->at_ms) / 1e3;
    bool accepting = json_is_true(json_object_get(state, "accepting"));
    move(0, 0);
    s_text(WEFT_BOLD, "%s", bus);
    s_text(WEFT_PLAIN, "  %s", weft_json_text(state, "software"));
    move(1, 0);
    if (top->error != WEFT_OK && old > OLD_S)
        s_text(WEFT_RED, "no answer for %s", weft_ago(up, old));
    else if (accepting)
        s_text(WEFT_GREEN, "accepting events");
    else
        s_text(WEFT_RED, "takes no events: %s", weft_json_text(state, "reason"));
    s_text(WEFT_PLAIN, "  connections %lld  events %lld to %lld",
           weft_json_int(counters, "connections"), weft_json_int(state, "first") + 1,
           weft_json_int(state, "head"));
    move(2, 0);
    s_text(WEFT_BOLD, "%s", s_rate(rate, weft_top_rate(state, "rate")));
    s_text(WEFT_PLAIN, " events/s in ");
    s_text(WEFT_BOLD, "%s", s_rate(commits, weft_top_rate(state, "commitsRate")));
    s_text(WEFT_PLAIN, " commits/s");
}

/* The last minutes of the log's rate, the newest at the right. */
static void s_spark(const weft_top_t *top) {
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char ascii[] = "_.:-=+*#";
    char most_text[16];
    double most = 0;
    int wide = getmaxx(stdscr) - 20;
    size_t room = wide > 0 ? (size_t) wide : 0;
    size_t from = top->rates_count > room ? top->rates_count - room : 0;
    for (size_t i = from; i < top->rates_count; i++)
        if (top->rates[i] > most) most = top->rates[i];
    move(3, 0);
    for (size_t i = from; i < top->rates_count; i++) {
        size_t bar = most > 0 && top->rates[i] > 0 ? (size_t) (top->rates[i] / most * 7.99) : 0;
        if (s_utf8)
            s_text(WEFT_GREEN, "%s", bars[bar]);
        else
            s_text(WEFT_GREEN, "%c", ascii[bar]);
    }
    if (most > 0) s_text(WEFT_PLAIN, " at most %s/s", s_rate(most_text, most));
}

/* ---- services */

static int s_by_name(const void *a, const void *b) {
    const json_t *const *one = a, *const *two = b;
    return strcmp(weft_json_text(*one, "name"), weft_json_text(*two, "name"));
}

static int s_by_lag(const void *a, const void *b) {
    const json_t *const *one = a, *const *two = b;
    long long first = weft_json_int(*one, "lag"), second = weft_json_int(*two, "lag");
    return first != second ? (first < second ? 1 : -1) : s_by_name(a, b);
}

static void s_heading(int name_width) {
    move(TABLE_ROW - 1, 0);
    s_text(WEFT_BOLD, "%-*s %-13s %7s %7s %7s %7s %7s", name_width, "SERVICE", "STATE", "LAG",
           "BEHIND", "RATE/S", "OUTBOX", "PARKED");
}

static void s_service(const json_t *service, int name_width) {
    char number[16], ago[WEFT_AGO_BYTES];
    static const weft_colour_t colours[] = {[WEFT_TOP_LIVE] = WEFT_GREEN,
                                            [WEFT_TOP_CATCHES_UP] = WEFT_YELLOW,
                                            [WEFT_TOP_SILENT] = WEFT_RED};
    weft_top_presence_t presence = weft_top_presence(service);
    const json_t *behind = json_object_get(service, "lagSeconds");
    long long lag = weft_json_int(service, "lag"), parked = weft_json_int(service, "parked");
    long long outbox = weft_json_int(service, "outbox");
    double rate = weft_top_rate(service, "rate");
    const char *name = weft_json_text(service, "name");
    s_text(WEFT_PLAIN, "%-*.*s ", name_width, name_width, name);
    if (presence == WEFT_TOP_SILENT)
        s_text(WEFT_RED, "silent %-6s", weft_ago(ago, weft_json_real(service, "seenAgo")));
    else
        s_text(colours[presence], "%-13s", weft_top_presence_text(presence));
    s_text(lag ? WEFT_YELLOW : WEFT_PLAIN, " %7s", s_count(number, (double) lag));
    s_text(lag ? WEFT_YELLOW : WEFT_PLAIN, " %7s",
           json_is_number(behind) ? weft_ago(ago, json_number_value(behind)) : "-");
    s_text(WEFT_PLAIN, " %7s", presence == WEFT_TOP_SILENT ? "-" : s_rate(number, rate));
    s_text(outbox ? WEFT_YELLOW : WEFT_PLAIN, " %7s", s_count(number, (double) outbox));
    s_text(parked ? WEFT_RED : WEFT_PLAIN, " %7s", s_count(number, (double) parked));
}

static void s_services(const weft_top_t *top, weft_screen_view_t *view) {
    const json_t *services = json_object_get(top->state, "services"), *service;
    size_t i, count = json_array_size(services);
    int height = getmaxy(stdscr) - TABLE_ROW - 1, name_width = getmaxx(stdscr) - 56;
    size_t room = height > 0 ? (size_t) height : 0;
    if (name_width < 12) name_width = 12;
    if (name_width > 40) name_width = 40;
    s_heading(name_width);
    const json_t **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted) return;
    json_array_foreach(services, i, service) {
        sorted[i] = service;
    }
    qsort(sorted, count, sizeof *sorted, view->by_lag ? s_by_lag : s_by_name);
    if (view->above + room > count) view->above = count > room ? count - room : 0;
    for (i = 0; i < room && view->above + i < count; i++) {
        move(TABLE_ROW + (int) i, 0);
        s_service(sorted[view->above + i], name_width);
    }
    free(sorted);
}

static void s_foot(const weft_top_t *top, const weft_screen_view_t *view) {
    size_t count = json_array_size(json_object_get(top->state, "services"));
    move(getmaxy(stdscr) - 1, 0);
    s_text(WEFT_BOLD, "q");
    s_text(WEFT_PLAIN, " quit  ");
    s_text(WEFT_BOLD, "s");
    s_text(WEFT_PLAIN, " sort by %s  %zu service%s", view->by_lag ? "name" : "lag", count,
           count == 1 ? "" : "s");
    if (view->above) s_text(WEFT_PLAIN, "  %zu above", view->above);
}

void weft_screen_draw(const weft_top_t *top, weft_screen_view_t *view, const char *bus) {
    erase();
    s_head(top, bus);
    s_spark(top);
    s_services(top, view);
    s_foot(top, view);
    refresh();
}
