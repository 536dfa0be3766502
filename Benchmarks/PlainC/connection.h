#pragma once

#include "amqp_headers.h"
#include "settings.h"

#include <stdint.h>

/* Every connection has one channel. */
enum { CHANNEL = 1 };

amqp_connection_state_t open_connection(const struct settings *settings);
void close_connection(amqp_connection_state_t connection);

void select_confirms(amqp_connection_state_t connection);
void start_consumer(amqp_connection_state_t connection, const struct settings *settings);

/* Publishes one persistent message of the settings' size. */
void publish(amqp_connection_state_t connection, const struct settings *settings, amqp_bytes_t body);

/* Reads the broker's next confirm and returns how many of the messages up to `last` it adds; `confirmed` has a byte for
 * each tag, and `lowest` is the first tag that is not confirmed. */
long wait_for_confirm(amqp_connection_state_t connection, uint8_t *confirmed, uint64_t *lowest, uint64_t last);

/* Takes one delivery, acknowledges it, and returns its size. */
int64_t take_delivery(amqp_connection_state_t connection);

amqp_bytes_t make_body(const struct settings *settings);
