#pragma once

#include "amqp_headers.h"

/* Says why on standard error and ends the process with code 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails unless the status is AMQP_STATUS_OK. */
void require_status(int status, const char *what);

/* Fails unless the reply of the last synchronous call is a normal one. */
void require_reply(amqp_rpc_reply_t reply, const char *what);
