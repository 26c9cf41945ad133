// A worker process that does one wrong thing, named by LYING_MODE. Speaks the real protocol on
// descriptor 3 up to the point of the lie.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "durascribe/protocol/channel.h"
#include "durascribe/protocol/messages.h"

extern char** environ;  // NOLINT: POSIX gives it in no header

namespace {

using namespace durascribe;  // NOLINT: one small program
using protocol::FrameType;

constexpr int kSocket = protocol::kWorkerSocketFd;

[[noreturn]] void hang() {
    while (true) {
        ::pause();
    }
}

struct Liar {
    protocol::Channel channel{UniqueFd(kSocket)};
    protocol::TranscribeRequest request;
    std::vector<UniqueFd> files;

    void send(FrameType type, std::string_view payload, std::span<const int> files_sent = {}) {
        if (!channel.send(type, payload, files_sent)) {
            std::_Exit(1);
        }
    }
    void write_raw(std::string_view bytes) const {
        static_cast<void>(::send(kSocket, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    }
    // Progress every few milliseconds, until the server is gone.
    [[noreturn]] void keep_saying(Millis step) {
        Millis done{1'000};
        pollfd server{kSocket, 0, 0};  // asks for its end alone
        do {
            send(FrameType::progress, protocol::encode(protocol::Progress{done}));
            done += step;
        } while (::poll(&server, 1, 5) == 0);
        ::_exit(0);
    }
    protocol::Transcribed answer() const {
        const Millis at = request.span.start;
        const domain::Word word{{at + Millis{100}, at + Millis{400}}, "hello", 0.5};
        return {{{{at + Millis{100}, at + Millis{900}}, "hello", 0.5, {word}, {}}}, "lying", "one"};
    }
    void say_progress() { send(FrameType::progress, R"({"audio_done_ms":1})"); }
    void finish(const protocol::Transcribed& m) {
        send(FrameType::transcribed, protocol::encode(m));
    }
};

[[noreturn]] void allocate_for_ever() {
    constexpr std::size_t kPiece = 8U << 20;
    std::vector<std::unique_ptr<char[]>> pieces;
    while (true) {
        pieces.push_back(std::make_unique<char[]>(kPiece));
        std::memset(pieces.back().get(), 1, kPiece);
    }
}

// 64 MB at a time, by anonymous mappings: under RLIMIT_DATA too, the last one fails.
[[noreturn]] void grow() {
    constexpr std::size_t kPiece = 64U << 20;
    while (true) {
        void* piece =
            ::mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) {
            std::_Exit(protocol::kExitOutOfMemory);
        }
        std::memset(piece, 1, kPiece);
        // Past the limit by one piece and no further: what is left of the machine is others'.
        static std::size_t held = 0;
        held += kPiece;
        if (held > (384U << 20)) {
            hang();
        }
    }
}

// Reads every page of the job's file through a mapping, as a recogniser does with its model.
void touch_mapped(const Liar& l) {
    const auto size = static_cast<std::size_t>(::lseek(l.files.back().get(), 0, SEEK_END));
    void* whole = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, l.files.back().get(), 0);
    if (whole == MAP_FAILED) {
        std::_Exit(1);
    }
    const auto* bytes = static_cast<const volatile char*>(whole);
    const auto until = std::chrono::steady_clock::now() + Millis{600};  // the watchdog looks twice
    do {
        for (std::size_t at = 0; at < size; at += 4096) {
            static_cast<void>(bytes[at]);
        }
    } while (std::chrono::steady_clock::now() < until);
}

// Computes for a second of time passed on so many threads, and tells the CPU time that it was given
// in milliseconds.
Error compute(int threads) {
    const auto until = std::chrono::steady_clock::now() + Millis{1'000};
    {
        std::vector<std::jthread> busy;
        for (int t = 0; t < threads; ++t) {
            busy.emplace_back([until] {
                volatile unsigned sum = 0;
                while (std::chrono::steady_clock::now() < until) {
                    for (unsigned i = 0; i < 1'000; ++i) {
                        sum = sum + i;
                    }
                }
            });
        }
    }
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return {ErrorClass::input,
            "cpu",
            std::to_string(used.tv_sec * 1'000 + used.tv_nsec / 1'000'000),
            {}};
}

void flood_errors(std::size_t bytes) {
    const std::string line(4095, 'e');
    for (std::size_t written = 0; written < bytes; written += line.size() + 1) {
        std::fprintf(stderr, "%s\n", line.c_str());
    }
    std::fputs("these are my last words\n", stderr);
}

// What surrounds this process, as the message of an error.
Error surroundings() {
    std::string text = "fds:";
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        text += " " + entry.path().filename().string();
    }
    text += "\nenvironment:";
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view whole = *variable;
        text += " " + std::string(whole.substr(0, whole.find('=')));
    }
    rlimit core{};
    rlimit files{};
    ::getrlimit(RLIMIT_CORE, &core);
    ::getrlimit(RLIMIT_NOFILE, &files);
    text += "\ncore " + std::to_string(core.rlim_cur) + " files " + std::to_string(files.rlim_cur);
    sigset_t blocked;
    ::sigprocmask(SIG_SETMASK, nullptr, &blocked);
    struct sigaction pipe{};
    ::sigaction(SIGPIPE, nullptr, &pipe);
    text += std::string("\nSIGUSR1 ") + (sigismember(&blocked, SIGUSR1) != 0 ? "blocked" : "open");
    text += std::string(" SIGPIPE ") + (pipe.sa_handler == SIG_IGN ? "ignored" : "default");
    return {ErrorClass::input, "surroundings", text, {}};
}

using Lie = std::function<void(Liar&)>;

const std::map<std::string_view, Lie>& lies() {
    static const std::map<std::string_view, Lie> all = {
        {"good", [](Liar& l) { l.finish(l.answer()); }},
        {"hang", [](Liar&) { hang(); }},
        {"answers_when_told",  // by SIGUSR1
         [](Liar& l) {
             sigset_t told;
             sigemptyset(&told);
             sigaddset(&told, SIGUSR1);
             ::sigprocmask(SIG_BLOCK, &told, nullptr);
             l.say_progress();
             int signal = 0;
             ::sigwait(&told, &signal);
             l.finish(l.answer());
         }},
        {"stopped_before_its_answer",
         [](Liar& l) {
             auto late = l.answer();
             late.segments[0].text = "late";
             ::raise(SIGSTOP);
             l.finish(late);
         }},
        {"no_growth", [](Liar& l) { l.keep_saying(Millis{0}); }},
        {"growth", [](Liar& l) { l.keep_saying(Millis{1}); }},
        {"flood_frames",
         [](Liar& l) {
             while (true) {
                 l.send(FrameType::progress, R"({"audio_done_ms":1})");
             }
         }},
        {"garbage",
         [](Liar& l) {
             l.write_raw("Segmentation fault\n");
             hang();
         }},
        {"half_frame",
         [](Liar& l) {
             l.write_raw(protocol::encode_frame(FrameType::progress, R"({"audio_done_ms":1})")
                             ->substr(0, 20));
             std::_Exit(0);
         }},
        {"half_frame_lives",
         [](Liar& l) {
             l.write_raw(protocol::encode_frame(FrameType::progress, "{}")->substr(0, 9));
             hang();
         }},
        {"huge_header",
         [](Liar& l) {
             std::string frame = *protocol::encode_frame(FrameType::transcribed, "");
             frame[8] = frame[9] = frame[10] = frame[11] = '\xff';
             l.write_raw(frame);
             hang();
         }},
        {"exit_zero", [](Liar&) { std::_Exit(0); }},
        {"exit_seven", [](Liar&) { std::_Exit(7); }},
        {"segv",
         [](Liar&) {
             std::fputs("about to fall\n", stderr);
             ::signal(SIGSEGV, SIG_DFL);
             ::raise(SIGSEGV);
         }},
        {"killed", [](Liar&) { ::raise(SIGKILL); }},
        {"allocates", [](Liar&) { allocate_for_ever(); }},
        {"grows", [](Liar&) { grow(); }},
        {"touches_mapped",
         [](Liar& l) {
             touch_mapped(l);
             l.finish(l.answer());
         }},
        {"computes", [](Liar& l) { l.send(FrameType::failed, protocol::encode(compute(1))); }},
        {"computes_on_two",
         [](Liar& l) { l.send(FrameType::failed, protocol::encode(compute(2))); }},
        {"leaves_a_child",
         [](Liar& l) {
             const pid_t child = ::fork();
             if (child == 0) {
                 hang();  // no death signal of its parent reaches it
             }
             l.send(FrameType::failed,
                    protocol::encode(
                        Error{ErrorClass::internal, "child_left", std::to_string(child), {}}));
         }},
        {"large_file",
         [](Liar& l) {
             const std::string block(1U << 20, 's');
             while (::write(l.files.back().get(), block.data(), block.size()) > 0) {
             }
             std::_Exit(0);
         }},
        {"no_sound_written",
         [](Liar& l) {
             protocol::Extracted m;
             m.info.duration = Millis{60'000};
             l.send(FrameType::extracted, protocol::encode(m));
         }},
        {"no_room_but_sound_written",
         [](Liar& l) {
             if (::write(l.files.back().get(), "sound", 5) == 5) {
                 l.send(FrameType::extracted,
                        protocol::encode(protocol::Extracted{.decoded = false}));
             }
         }},
        {"loads_for_ever",  // longer than its model may take
         [](Liar&) { hang(); }},
        {"loaded_and_hangs",
         [](Liar& l) {
             l.send(FrameType::loaded, "");
             hang();
         }},
        {"loaded_twice",
         [](Liar& l) {
             l.send(FrameType::loaded, "");
             l.send(FrameType::loaded, "");
             hang();
         }},
        {"flood_errors",
         [](Liar& l) {
             flood_errors(16U << 20);
             l.finish(l.answer());
         }},
        {"flood_errors_and_die",
         [](Liar&) {
             flood_errors(1U << 20);
             std::_Exit(1);
         }},
        {"closes_socket",
         [](Liar&) {
             ::close(kSocket);
             hang();
         }},
        {"dies_after_answer",
         [](Liar& l) {
             l.finish(l.answer());
             std::_Exit(0);
         }},
        {"outside_span",
         [](Liar& l) {
             auto m = l.answer();
             m.segments[0].span.end = l.request.span.end + Millis{1'001};
             l.finish(m);
             hang();
         }},
        {"word_outside_span",
         [](Liar& l) {
             auto m = l.answer();
             m.segments[0].words[0].span.end = l.request.span.end + Millis{1'001};
             l.finish(m);
             hang();
         }},
        {"out_of_order",
         [](Liar& l) {
             auto m = l.answer();
             m.segments.push_back(m.segments[0]);
             m.segments[0].span.start += Millis{1};
             l.finish(m);
             hang();
         }},
        {"illegal_class",
         [](Liar& l) {
             l.send(FrameType::failed, R"({"class":"lost","code":"x","message":"","detail":""})");
             hang();
         }},
        {"wrong_answer",
         [](Liar& l) {
             l.send(FrameType::extracted, "{}");
             hang();
         }},
        {"answer_is_no_json",
         [](Liar& l) {
             l.send(FrameType::transcribed, "hello");
             hang();
         }},
        {"sends_a_file",
         [](Liar& l) {
             const int file[] = {STDIN_FILENO};
             l.send(FrameType::progress, R"({"audio_done_ms":1})", file);
             hang();
         }},
        {"reports",
         [](Liar& l) {
             l.send(FrameType::failed,
                    protocol::encode(
                        Error{ErrorClass::input, "no_samples", "There is no sound in it.", {}}));
         }},
        {"surroundings",
         [](Liar& l) { l.send(FrameType::failed, protocol::encode(surroundings())); }},
        {"speaks_unasked",
         [](Liar& l) {
             l.finish(l.answer());
             l.finish(l.answer());
         }},
    };
    return all;
}

int lie(const std::string& mode) {
    if (mode == "never_ready") {
        hang();
    }
    Liar liar;
    if (mode == "no_model") {
        liar.send(FrameType::failed,
                  protocol::encode(
                      Error{ErrorClass::model, "model_not_found", "The model is not there.", {}}));
        return 1;
    }
    if (mode == "allocates_early") {
        allocate_for_ever();
    }
    liar.send(FrameType::ready, protocol::encode(protocol::Ready{"lying", "one"}));
    if (mode == "grows_idle") {
        grow();
    }
    while (true) {
        auto received = liar.channel.receive();
        if (!received || !*received || (*received)->frame.type == FrameType::shutdown) {
            return 0;
        }
        liar.files = std::move((*received)->descriptors);
        if ((*received)->frame.type == FrameType::transcribe) {
            liar.request =
                protocol::decode<protocol::TranscribeRequest>((*received)->frame.payload).value();
        }
        lies().at(mode)(liar);
    }
}

}  // namespace

int main() {
    const char* mode = std::getenv("LYING_MODE");
    try {
        return lie(mode == nullptr ? "good" : mode);
    } catch (const std::bad_alloc&) {
        std::_Exit(durascribe::protocol::kExitOutOfMemory);
    }
}
