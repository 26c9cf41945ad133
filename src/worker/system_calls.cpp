#include "durascribe/worker/system_calls.h"

#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

namespace durascribe::worker {
namespace {

#if defined(__has_feature)  // Clang's; GCC defines a macro for each
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DURASCRIBE_SANITIZED
#endif
#endif
#if defined(DURASCRIBE_SANITIZED) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Memory, threads, open descriptors, time, and an orderly end.
constexpr std::array kNeeded{
    SCMP_SYS(brk),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(gettid),
    SCMP_SYS(getpid),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getrandom),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(pwrite64),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fadvise64),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fcntl),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

constexpr std::array kOnlyOfAnIntruder{
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(socket),
    SCMP_SYS(connect),
    SCMP_SYS(bind),
    SCMP_SYS(listen),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kill),
    SCMP_SYS(pidfd_open),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(kexec_load),
};

// Each of them; false: one could not be added.
template <std::size_t N>
bool add_all(scmp_filter_ctx filter, std::uint32_t action, const std::array<int, N>& calls) {
    for (const int call : calls) {
        if (::seccomp_rule_add(filter, action, call, 0) != 0) {
            return false;
        }
    }
    return true;
}

// clone() of a thread alone. clone3() hides what it makes behind a pointer: where it is not there,
// the C library asks for clone().
bool add_threads(scmp_filter_ctx filter) {
    const scmp_arg_cmp thread{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD};
    const scmp_arg_cmp process{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0};
    return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread) == 0 &&
           ::seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1, &process) ==
               0 &&
           ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

// To itself: how abort() ends a process.
bool add_signals_to_itself(scmp_filter_ctx filter) {
    const auto self = static_cast<scmp_datum_t>(::getpid());
    const scmp_arg_cmp own{0, SCMP_CMP_EQ, self, 0};
    const scmp_arg_cmp others{0, SCMP_CMP_NE, self, 0};
    return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own) == 0 &&
           ::seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), 1, &others) ==
               0;
}

}  // namespace

bool give_up_system_calls() {
    if (kSanitized) {
        return false;
    }
    const std::unique_ptr<void, decltype(&::seccomp_release)> filter(
        ::seccomp_init(SCMP_ACT_ERRNO(EPERM)), &::seccomp_release);
    return filter && ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
           add_all(filter.get(), SCMP_ACT_ALLOW, kNeeded) &&
           add_all(filter.get(), SCMP_ACT_KILL_PROCESS, kOnlyOfAnIntruder) &&
           add_threads(filter.get()) && add_signals_to_itself(filter.get()) &&
           ::seccomp_load(filter.get()) == 0;
}

}  // namespace durascribe::worker
