// Names around every durable step, at which the fault campaign kills the server
// (tests/fault/failpoints). Only the program that is built for that campaign defines
// DURASCRIBE_FAILPOINTS; everywhere else a failpoint is nothing at all.
//
// A name is "area.what_has_just_happened" and stands in one place, in a .cpp file that
// tests/fault/CMakeLists.txt lists; the campaign fails on a name that it never reaches.
#pragma once

#ifdef DURASCRIBE_FAILPOINTS

namespace durascribe {

// Defined in tests/fault/failpoint.cpp. Any thread. Does not return where it is told to die here.
void failpoint_reached(const char* name);

}  // namespace durascribe

#define DURASCRIBE_FAILPOINT(name) ::durascribe::failpoint_reached(name)

#else

#define DURASCRIBE_FAILPOINT(name) static_cast<void>(0)

#endif
