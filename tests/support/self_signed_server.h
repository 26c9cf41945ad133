// A TLS server on 127.0.0.1 whose certificate nobody but itself has signed: it shakes hands, and
// hangs up.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "loopback_listener.h"

namespace durascribe::testing {

class SelfSignedServer {
  public:
    SelfSignedServer() : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
        certify();
        thread_ = std::jthread([this] { serve(); });
    }
    ~SelfSignedServer() {
        listener_.stop();
        thread_.join();
    }
    SelfSignedServer(const SelfSignedServer&) = delete;
    SelfSignedServer& operator=(const SelfSignedServer&) = delete;

    std::string url() const {
        return "https://127.0.0.1:" + std::to_string(listener_.port()) + "/";
    }

  private:
    static void must(bool worked) {
        if (!worked) {
            std::abort();
        }
    }
    void certify() {
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                      &EVP_PKEY_free);
        const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), &X509_free);
        X509* x = certificate.get();
        must(key && x != nullptr && context_);
        constexpr long kAnHour = 3'600;
        X509_gmtime_adj(X509_getm_notBefore(x), -kAnHour);
        X509_gmtime_adj(X509_getm_notAfter(x), kAnHour);
        X509_NAME* name = X509_get_subject_name(x);
        must(X509_set_version(x, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                        reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1,
                                        0) == 1 &&
             X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key.get()) == 1 &&
             X509_sign(x, key.get(), EVP_sha256()) > 0 &&
             SSL_CTX_use_certificate(context_.get(), x) == 1 &&
             SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
    }
    void serve() {
        for (;;) {
            const int fd = listener_.accept();
            if (fd < 0) {
                return;
            }
            const std::unique_ptr<SSL, decltype(&SSL_free)> connection(SSL_new(context_.get()),
                                                                       &SSL_free);
            must(connection && SSL_set_fd(connection.get(), fd) == 1);
            SSL_accept(connection.get());  // the other side hangs up: it does not trust us
            ::close(fd);
        }
    }

    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    LoopbackListener listener_;
    std::jthread thread_;
};

}  // namespace durascribe::testing
