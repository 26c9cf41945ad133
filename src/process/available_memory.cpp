#include "durascribe/process/available_memory.h"

#include <fstream>
#include <string>

namespace durascribe::process {

std::int64_t available_memory_bytes() {
    std::ifstream meminfo("/proc/meminfo");
    std::string name;
    std::int64_t kib = 0;
    std::string unit;
    while (meminfo >> name >> kib) {
        std::getline(meminfo, unit);
        if (name == "MemAvailable:") {
            return kib * 1024;
        }
    }
    return 0;
}

}  // namespace durascribe::process
