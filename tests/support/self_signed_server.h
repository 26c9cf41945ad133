// A TLS server on 127.0.0.1 whose certificate nobody but itself has signed: it shakes hands, and
// hangs up.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
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

namespace durascribe::testing {

class SelfSignedServer {
  public:
    SelfSignedServer() : context_(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free) {
        certify();
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        must(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
             ::listen(listener_, 8) == 0 &&
             ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::jthread([this] { serve(); });
    }
    ~SelfSignedServer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    SelfSignedServer(const SelfSignedServer&) = delete;
    SelfSignedServer& operator=(const SelfSignedServer&) = delete;

    std::string url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

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
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
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
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::jthread thread_;
};

}  // namespace durascribe::testing
