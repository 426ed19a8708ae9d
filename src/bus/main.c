/* weft-bus: flags, signals and the ready line; weft_bus does the work. */
#include "weft_bus.h"
#include "weft_bus_health.h"
#include "weft_bus_http.h"

#include "weft_diag.h"
#include "weft_net.h"
#include "weft_notify.h"
#include "weft_os.h"
#include "weft_record.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define REASON_BYTES 5120 /* a path and a sentence */

typedef struct {
    weft_bus_config_t bus;
    const char *http; /* HOST:PORT; NULL: not wanted */
} weft_bus_flags_t;

static weft_bus_t *s_bus; /* for the signal handler alone */

static void s_on_signal(int number) {
    if (number == SIGUSR1)
        weft_diag_more();
    else if (number == SIGUSR2)
        weft_diag_back();
    else
        weft_bus_stop(s_bus);
}

/* On the bus' loop. Control has one of its own: who fetches is served as long as both go round. */
static void s_on_turn(void *arg) {
    int64_t now_ms = weft_os_monotonic_ms();
    (void) arg;
    if (!weft_bus_stuck(weft_bus_stats(s_bus), now_ms)) weft_notify_beat(now_ms);
}

static void s_help(void) {
    printf(
        "usage: weft-bus --store DIR [OPTION...]\n"
        "\n"
        "Stores events and forwards them: the middle of a weft mesh.\n"
        "\n"
        "  --store DIR           where the log is kept; made if it is not there\n"
        "  --endpoint ENDPOINT   tcp://HOST:PORT (and PORT + 1, PORT + 2; 0 picks free ones) or\n"
        "                        ipc://PATH (and PATH.fan, PATH.in) (default: %s)\n"
        "  --sync full|normal    full: an acknowledged event survives a power loss;\n"
        "                        normal: it survives the end of this process (default: full)\n"
        "  --keep AGE|SIZE|BOTH  forget older events: 30d, 20GB, or 30d,20GB; units s m h d and MB GB\n"
        "                        TB MiB GiB TiB; never what a service that reported lately has yet\n"
        "                        to apply (default: everything is kept)\n"
        "  --lately AGE          a service that was silent for longer is not waited for\n"
        "                        (default: 7d)\n"
        "  --connections N       of each of the three sockets; more are refused (default: 4096, or\n"
        "                        what a limit of open files leaves when a quarter stays free)\n"
        "  --http HOST:PORT      serve /metrics, /healthz and /readyz there; port 0: any free one\n"
        "                        (default: nowhere)\n"
        "  --bind-any            let other machines reach the endpoint, and the address of --http\n"
        "  --diag-format FORM    " WEFT_DIAG_FORMS " (default: $WEFT_DIAG_FORMAT, or text)\n"
        "  --help, --version\n"
        "\n"
        "Prints one line \"ready endpoint=... head=N\" on stdout when it serves; diagnostics go to\n"
        "stderr (WEFT_DIAG=debug|info|warn|error; USR1 shows one level more, USR2 goes back to it).\n"
        "TERM and INT stop it.\n"
        "Exit status: 0 stopped, 1 could not start or go on, 2 wrong use.\n",
        WEFT_DEFAULT_BUS);
}

static weft_err_t s_usage(const char *what, const char *word) {
    fprintf(stderr, "weft-bus: %s%s%s%s, try --help\n", what, *word ? " \"" : "", word,
            *word ? "\"" : "");
    return WEFT_E_USAGE;
}

static weft_err_t s_usage_value(const char *option, const char *value, const char *reason) {
    fprintf(stderr, "weft-bus: %s \"%s\": %s, try --help\n", option, value, reason);
    return WEFT_E_USAGE;
}

static weft_err_t s_set(weft_bus_flags_t *flags, const char *option, const char *value) {
    const char *reason;
    if (strcmp(option, "--endpoint") == 0) {
        flags->bus.endpoint = value;
    } else if (strcmp(option, "--store") == 0) {
        if (!*value) return s_usage("--store needs a directory", "");
        flags->bus.store = value;
    } else if (strcmp(option, "--keep") == 0) {
        if (weft_keep_parse(&flags->bus.keep, value, &reason) != WEFT_OK)
            return s_usage_value(option, value, reason);
    } else if (strcmp(option, "--lately") == 0) {
        if (weft_keep_parse_age(&flags->bus.lately_us, value, &reason) != WEFT_OK)
            return s_usage_value(option, value, reason);
    } else if (strcmp(option, "--connections") == 0) {
        char *end;
        unsigned long n = strtoul(value, &end, 10);
        if (*value < '1' || *value > '9' || *end || n > 1000000)
            return s_usage("--connections is a number from 1 to 1000000, not", value);
        flags->bus.connections = (unsigned) n;
    } else if (strcmp(option, "--http") == 0) {
        flags->http = value;
    } else if (strcmp(option, "--diag-format") == 0) {
        weft_diag_form_t form;
        if (!weft_diag_form_parse(value, &form))
            return s_usage("--diag-format is " WEFT_DIAG_FORMS ", not", value);
        weft_diag_set_form(form);
    } else {
        bool full = strcmp(value, "full") == 0;
        if (!full && strcmp(value, "normal") != 0)
            return s_usage("--sync is full or normal, not", value);
        flags->bus.full = full;
    }
    return WEFT_OK;
}

/* "--option value" and "--option=value". WEFT_OK, WEFT_E_USAGE, WEFT_E_HELP. */
static weft_err_t s_parse(weft_bus_flags_t *flags, int argc, char **argv) {
    static const char *const with_value[] = {"--endpoint",    "--store",  "--sync",
                                             "--keep",        "--lately", "--connections",
                                             "--diag-format", "--http"};
    for (int i = 1; i < argc; i++) {
        const char *option = NULL, *value = strchr(argv[i], '=');
        size_t size = value ? (size_t) (value - argv[i]) : strlen(argv[i]);
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            s_help();
            return WEFT_E_HELP;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("weft-bus " WEFT_VERSION_STRING "\n");
            return WEFT_E_HELP;
        }
        if (strcmp(argv[i], "--bind-any") == 0) {
            flags->bus.bind_any = true;
            continue;
        }
        for (size_t j = 0; j < sizeof with_value / sizeof *with_value; j++)
            if (strlen(with_value[j]) == size && memcmp(with_value[j], argv[i], size) == 0)
                option = with_value[j];
        if (!option) return s_usage("unknown argument", argv[i]);
        value = value ? value + 1 : argv[++i];
        if (!value) return s_usage("a value is missing after", option);
        weft_err_t rc = s_set(flags, option, value);
        if (rc != WEFT_OK) return rc;
    }
    return flags->bus.store ? WEFT_OK : s_usage("--store DIR is needed: where to keep the log", "");
}

static void s_take_signals(void) {
    struct sigaction action = {.sa_handler = s_on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* A connection is an open file; the limit that a shell gives is often 1024, the one that may be asked
 * for far above. */
static void s_raise_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit); /* else the cap follows from what there is */
}

static bool s_say_ready(const weft_bus_http_t *http) {
    char log[33];
    weft_uuid_text(log, weft_bus_log(s_bus)->bytes);
    printf("ready endpoint=%s control=%s fanout=%s ingest=%s log=%s head=%llu%s%s\n",
           weft_bus_control(s_bus), weft_bus_control(s_bus), weft_bus_fanout(s_bus),
           weft_bus_ingest(s_bus), log, (unsigned long long) weft_bus_head(s_bus).value,
           http ? " http=" : "", http ? weft_bus_http_address(http) : "");
    return fflush(stdout) == 0;
}

/* WEFT_OK, or what the program ends with; the cause has been told. */
static weft_err_t s_open(const weft_bus_flags_t *flags, weft_bus_http_t **http) {
    char reason[REASON_BYTES];
    weft_err_t rc = WEFT_OK;
    if (flags->http)
        rc = weft_bus_http_check(flags->http, flags->bus.bind_any, reason, sizeof reason);
    if (rc == WEFT_OK) rc = weft_bus_new(&s_bus, &flags->bus, reason, sizeof reason);
    if (rc == WEFT_E_ARG) return s_usage(reason, "");
    if (rc != WEFT_OK) {
        weft_diag(WEFT_DIAG_ERROR, "bus.start", "error=%s reason=\"%s\"", weft_err_name(rc),
                  reason);
        return rc;
    }
    return flags->http ? weft_bus_http_new(http, s_bus, flags->http) : WEFT_OK;
}

int main(int argc, char **argv) {
    weft_bus_flags_t flags = {.http = NULL};
    weft_bus_http_t *http = NULL;
    weft_bus_config_init(&flags.bus);
    flags.bus.turn = s_on_turn;
    weft_err_t rc = s_parse(&flags, argc, argv);
    if (rc != WEFT_OK) return weft_exit_code(rc);
    s_raise_files();
    rc = s_open(&flags, &http);
    if (rc == WEFT_OK) {
        s_take_signals();
        if (!s_say_ready(http))
            weft_diag(WEFT_DIAG_WARN, "bus.ready",
                      "error=\"cannot write the ready line to stdout\"");
        weft_notify_ready();
        rc = weft_bus_run(s_bus);
        weft_notify_stopping();
    }
    weft_bus_http_destroy(&http);
    weft_bus_destroy(&s_bus);
    return weft_exit_code(rc);
}
