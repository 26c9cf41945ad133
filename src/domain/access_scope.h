// What a token may do: a set of three scopes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace durascribe::domain {

enum class Scope {
    read,   // see media, tasks, transcripts, events
    write,  // send, start, cancel, rename, delete
    admin,  // tokens, the whole queue; and all of the above
};

std::string_view to_string(Scope scope);
std::optional<Scope> scope_from(std::string_view name);

class Scopes {
  public:
    Scopes() = default;
    static Scopes all();
    // As in a database row: bit 0 read, bit 1 write, bit 2 admin. nullopt: not such a number.
    static std::optional<Scopes> from_bits(int bits);

    Scopes& add(Scope scope);
    // admin has the other two in it; write alone does not read.
    bool allow(Scope scope) const;
    bool empty() const { return bits_ == 0; }
    int bits() const { return static_cast<int>(bits_); }
    std::vector<Scope> listed() const;  // as they were added, in order of the enumeration
    bool operator==(const Scopes&) const = default;

  private:
    unsigned bits_ = 0;
};

}  // namespace durascribe::domain
