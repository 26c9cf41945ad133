// Names whose addresses a test decides.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "durascribe/net/resolver.h"

namespace durascribe::testing {

// Each name's answers, one after the other; the last one stays.
class ScriptedNames final : public net::Resolver {
  public:
    explicit ScriptedNames(std::map<std::string, std::vector<std::string>> answers)
        : answers_(std::move(answers)) {}
    void resolve(const std::string& host, Done done) override {
        auto it = answers_.find(host);
        if (it == answers_.end()) {
            done(fail(ErrorClass::network, "name_not_resolved", "No such name."));
            return;
        }
        std::vector<net::IpAddress> addresses;
        std::string_view list = it->second.front();
        while (!list.empty()) {
            const auto comma = list.find(',');
            addresses.push_back(*net::IpAddress::parse(list.substr(0, comma)));
            list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
        }
        if (it->second.size() > 1) {
            it->second.erase(it->second.begin());
        }
        done(std::move(addresses));
    }
    void add_descriptors(std::vector<pollfd>&) override {}
    std::optional<Millis> patience() override { return std::nullopt; }
    void process(std::span<const pollfd>) override {}

  private:
    std::map<std::string, std::vector<std::string>> answers_;
};

}  // namespace durascribe::testing
