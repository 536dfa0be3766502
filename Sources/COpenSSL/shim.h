#pragma once

// The digest's own calls, which need no memory and no provider and so cannot fail; OpenSSL 3 deprecates them in favour of ones that can.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

typedef struct { SHA256_CTX context; } actorbus_sha256;

static inline void actorbus_sha256_begin(actorbus_sha256 *digest) { (void)SHA256_Init(&digest->context); }

static inline void actorbus_sha256_add(actorbus_sha256 *digest, const void *bytes, size_t count) {
    (void)SHA256_Update(&digest->context, bytes, count);
}

static inline void actorbus_sha256_end(actorbus_sha256 *digest, unsigned char *result) {
    (void)SHA256_Final(result, &digest->context);
}

// Macros, which Swift cannot import.

static inline int actorbus_tls_set_least_version(SSL_CTX *context, int version) { return SSL_CTX_set_min_proto_version(context, version); }

// Certificates of a file are trusted as they stand there, not only where they sign themselves.
static inline int actorbus_tls_trust_intermediates(SSL_CTX *context) {
    return X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
}

// TLS 1.3 has no renegotiation any more, and in TLS 1.2 it would hold up what is written.
static inline void actorbus_tls_refuse_renegotiation(SSL_CTX *context) { (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION); }

static inline void actorbus_tls_write_in_parts(SSL *session) {
    (void)SSL_set_mode(session, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static inline int actorbus_tls_name_server(SSL *session, const char *name) { return (int)SSL_set_tlsext_host_name(session, name); }

static inline void actorbus_tls_empty_is_no_end(BIO *memory) { (void)BIO_set_mem_eof_return(memory, -1); }
