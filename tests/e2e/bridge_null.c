/* bridge-null: takes what weft-bridge takes at POST /events and stores nothing: what storing costs is the
 * difference. */
#include <bridge_post_read.h>
#include <service_http.h>

static void s_post(http_request_t *request, void *arg) {
    static const char ok[] = "{\"status\":\"OK\"}";
    bridge_post_t post;
    const char *field;
    char reason[BRIDGE_POST_REASON_BYTES];
    unsigned status;
    if (bridge_post_read(&post, request, arg, &status, &field, reason) != WEFT_OK)
        http_answer_error(request, status, reason, field);
    else
        http_answer_data(request, 200, "application/json; charset=utf-8", ok, sizeof ok - 1);
    bridge_post_clear(&post);
}

int main(int argc, char **argv) {
    weft_service_t *service = NULL;
    http_server_t *http = NULL;
    bridge_names_t *names = NULL;
    const char *listen;
    const weft_option_t options[] = {
        {"http", "HOST:PORT", "where to serve", "127.0.0.1:0", &listen}};
    weft_err_t rc = bridge_names_new(&names, NULL, NULL, 0);
    const http_route_t routes[] = {{"POST", "/events", HTTP_BODY_ANY, s_post, names}};
    if (rc == WEFT_OK)
        rc = weft_service_new_options(&service, "bridge-null", argc, argv, options, 1);
    if (rc == WEFT_OK) rc = service_http_new(&http, service, listen, routes, 1);
    if (rc == WEFT_OK) rc = weft_service_run(service);
    http_server_destroy(&http);
    weft_service_destroy(&service);
    bridge_names_destroy(&names);
    return weft_exit_code(rc);
}
