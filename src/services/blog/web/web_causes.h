/* web_causes: GET /api/mesh/causes/:position: what led to an event and what followed, as weft_explain
 * tells it. The bus is asked on a thread; a few wait their turn, more are refused. */
#ifndef WEB_CAUSES_H
#define WEB_CAUSES_H

#include "web.h"

weft_err_t web_causes_new(web_causes_t **out, weft_service_t *service);
/* After the server has stopped; ends what is in work. NULL-safe, clears *self_p. */
void web_causes_destroy(web_causes_t **self_p);

/* A handler. arg is the blog_app_t. */
void web_causes_show(http_request_t *request, void *arg);

#endif
