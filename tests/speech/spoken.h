// Speech for tests: one word or sentence as flite says it, cut to its sound.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace durascribe::speech::test {

inline constexpr std::size_t kMs = 16;  // samples
using Pcm = std::vector<std::int16_t>;

// 16 kHz mono, without the silence before and after; empty where flite failed.
inline Pcm spoken(const std::string& text) {
    const auto file =
        std::filesystem::path(::testing::TempDir()) / fmt::format("spoken-{}.raw", ::getpid());
    const std::string command =
        fmt::format("flite -voice slt -t '{}' -o '{}.wav' && sox '{}.wav' -r 16000 -c 1 -b 16 '{}'",
                    text, file.string(), file.string(), file.string());
    if (std::system(command.c_str()) != 0) {
        return {};
    }
    std::ifstream in(file, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    Pcm pcm(bytes.size() / 2);
    std::copy_n(bytes.data(), pcm.size() * 2, reinterpret_cast<char*>(pcm.data()));
    const auto loud = [](std::int16_t sample) { return std::abs(int{sample}) > 300; };
    pcm.erase(std::find_if(pcm.rbegin(), pcm.rend(), loud).base(), pcm.end());
    pcm.erase(pcm.begin(), std::find_if(pcm.begin(), pcm.end(), loud));
    std::filesystem::remove(file);
    std::filesystem::remove(file.string() + ".wav");
    return pcm;
}

inline Pcm silence(std::size_t ms) {
    return Pcm(ms * kMs);
}

inline Pcm joined(std::initializer_list<Pcm> parts) {
    Pcm all;
    for (const Pcm& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

}  // namespace durascribe::speech::test
