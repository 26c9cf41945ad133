#include "durascribe/cli/server_file.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "durascribe/base/failpoint.h"
#include "durascribe/base/unique_fd.h"

namespace durascribe::cli {
namespace {

std::filesystem::path file_in(const std::filesystem::path& data_dir) {
    return data_dir / "server.json";
}

}  // namespace

Result<ServerFile> ServerFile::write(const std::filesystem::path& data_dir,
                                     const ServerAddress& address) {
    const boost::json::object content{{"pid", address.pid},
                                      {"address", address.host},
                                      {"port", address.port},
                                      {"version", address.version},
                                      {"token", address.token}};
    const std::string text = boost::json::serialize(content) + "\n";
    const auto path = file_in(data_dir);
    auto temporary = path;
    temporary += ".new";  // one server owns the directory: nobody else writes it
    const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const auto refused = [&] {
        return std::unexpected(system_error(errno, fmt::format("write {}", path.string())));
    };
    if (!file.valid() ||
        ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return refused();
    }
    DURASCRIBE_FAILPOINT("server_file.written");
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return refused();
    }
    DURASCRIBE_FAILPOINT("server_file.in_place");
    return ServerFile(path);
}

ServerFile::~ServerFile() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
        DURASCRIBE_FAILPOINT("server_file.removed");
    }
}

std::optional<ServerAddress> read_server_file(const std::filesystem::path& data_dir) {
    std::ifstream file(file_in(data_dir));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    boost::system::error_code problem;
    const boost::json::value content = boost::json::parse(text, problem);
    if (problem || !content.is_object()) {
        return std::nullopt;
    }
    const auto& object = content.get_object();
    const auto* pid = object.if_contains("pid");
    const auto* host = object.if_contains("address");
    const auto* port = object.if_contains("port");
    const auto* version = object.if_contains("version");
    if (pid == nullptr || !pid->is_int64() || host == nullptr || !host->is_string() ||
        port == nullptr || !port->is_int64() || port->get_int64() < 1 ||
        port->get_int64() > 65'535 || version == nullptr || !version->is_string()) {
        return std::nullopt;
    }
    const auto* token = object.if_contains("token");
    return ServerAddress{
        static_cast<int>(pid->get_int64()), std::string(host->get_string()),
        static_cast<std::uint16_t>(port->get_int64()), std::string(version->get_string()),
        token != nullptr && token->is_string() ? std::string(token->get_string()) : std::string()};
}

}  // namespace durascribe::cli
