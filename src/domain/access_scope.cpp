#include "durascribe/domain/access_scope.h"

#include <array>

#include "durascribe/base/error.h"

namespace durascribe::domain {
namespace {

constexpr std::array kScopes{Scope::read, Scope::write, Scope::admin};
constexpr unsigned kAllBits = 7;

unsigned bit_of(Scope scope) {
    return 1U << static_cast<unsigned>(scope);
}

}  // namespace

std::string_view to_string(Scope scope) {
    switch (scope) {
        case Scope::read:
            return "read";
        case Scope::write:
            return "write";
        case Scope::admin:
            return "admin";
    }
    assertion_failed("known Scope", __FILE__, __LINE__);
}

std::optional<Scope> scope_from(std::string_view name) {
    for (const Scope scope : kScopes) {
        if (to_string(scope) == name) {
            return scope;
        }
    }
    return std::nullopt;
}

Scopes Scopes::all() {
    return Scopes{}.add(Scope::read).add(Scope::write).add(Scope::admin);
}

std::optional<Scopes> Scopes::from_bits(int bits) {
    if (bits < 0 || static_cast<unsigned>(bits) > kAllBits) {
        return std::nullopt;
    }
    Scopes out;
    out.bits_ = static_cast<unsigned>(bits);
    return out;
}

Scopes& Scopes::add(Scope scope) {
    bits_ |= bit_of(scope);
    return *this;
}

bool Scopes::allow(Scope scope) const {
    return (bits_ & (bit_of(scope) | bit_of(Scope::admin))) != 0;
}

std::vector<Scope> Scopes::listed() const {
    std::vector<Scope> out;
    for (const Scope scope : kScopes) {
        if ((bits_ & bit_of(scope)) != 0) {
            out.push_back(scope);
        }
    }
    return out;
}

}  // namespace durascribe::domain
