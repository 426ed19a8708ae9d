/* http_client_call: one call of http_client: its options for curl, what comes of it, how it ended. */
#ifndef HTTP_CLIENT_CALL_H
#define HTTP_CLIENT_CALL_H

#include <curl/curl.h>

#include "http_client.h"

typedef enum {
    HTTP_NOTED_NOTHING,
    HTTP_NOTED_BEGIN,
    HTTP_NOTED_RESUME,
    HTTP_NOTED_CANCEL
} http_noted_t;

struct http_call {
    http_client_t *client;
    CURL *easy;
    http_call_config_t config; /* its pointers are not kept, but body and callbacks */
    struct curl_slist *headers;
    char *body; /* gathered */
    size_t body_size, body_room, taken, headers_taken, headers_count;
    int64_t heard_ms; /* monotonic: when the last byte came */
    http_noted_t noted;
    bool added; /* to curl */
    bool paused, stopped, too_big, cancelled, finished, head_told;
    char error[CURL_ERROR_SIZE > HTTP_CLIENT_REASON_BYTES ? CURL_ERROR_SIZE
                                                          : HTTP_CLIENT_REASON_BYTES];
    http_call_t *prev, *next;
};

int64_t http_call_now_ms(void);

/* WEFT_OK or WEFT_E_ARG. */
weft_err_t http_call_check(const http_call_config_t *config);
/* Tell curl what to do. WEFT_OK, WEFT_E_NOMEM. */
weft_err_t http_call_set_up(http_call_t *self, const http_call_config_t *config,
                            unsigned kept_seconds);
void http_call_result(const http_call_t *self, CURLcode code, http_result_t *out);
/* All but the handle. */
void http_call_free(http_call_t *self);

#endif
