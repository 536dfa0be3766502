#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("bench-plain-c: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void require_status(int status, const char *what) {
    if (status != AMQP_STATUS_OK) fail("%s: %s", what, amqp_error_string2(status));
}

void require_reply(amqp_rpc_reply_t reply, const char *what) {
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return;
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        fail("%s: %s", what, amqp_error_string2(reply.library_error));
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
            const amqp_channel_close_t *close = reply.reply.decoded;
            fail("%s: the broker closed the channel: %d %.*s", what, close->reply_code, (int)close->reply_text.len,
                 (const char *)close->reply_text.bytes);
        }
        fail("%s: the broker closed the connection", what);
    default:
        fail("%s: no reply", what);
    }
}
