#pragma once

// The digest's own calls, which need no memory and no provider and so cannot fail; OpenSSL 3 deprecates them in favour of ones that can.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

typedef struct { SHA256_CTX context; } actorbus_sha256;

static inline void actorbus_sha256_begin(actorbus_sha256 *digest) { (void)SHA256_Init(&digest->context); }

static inline void actorbus_sha256_add(actorbus_sha256 *digest, const void *bytes, size_t count) {
    (void)SHA256_Update(&digest->context, bytes, count);
}

static inline void actorbus_sha256_end(actorbus_sha256 *digest, unsigned char *result) {
    (void)SHA256_Final(result, &digest->context);
}
