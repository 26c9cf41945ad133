# What nearly every file includes, read once for all of them. Not with a compiler cache, which would
# take each build's own precompiled headers for another input; and a build without shows an include
# that a file itself forgot. (The headers are held to that by every ./test: layers.headers_of_*.)
set(default ON)
if(CMAKE_CXX_COMPILER_LAUNCHER)
  set(default OFF)
endif()
option(DURASCRIBE_PRECOMPILED "Read the common headers once for all files" ${default})

# What tests are made of runs once: optimizing it takes longer than it saves. (What they test is
# optimized as users run it.)
set(DURASCRIBE_QUICK_TO_BUILD $<$<CONFIG:Release>:-O0>)

set(DURASCRIBE_COMMON_HEADERS
  <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <expected>
  <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <set> <span> <stop_token>
  <string> <string_view> <thread> <utility> <variant> <vector> <fmt/format.h>)

# durascribe_precompiled(<name> LIBRARIES lib ... HEADERS <header> ...): the target
# durascribe_precompiled_<name>, whose headers others take with durascribe_precompile.
function(durascribe_precompiled name)
  cmake_parse_arguments(P "" "" "LIBRARIES;HEADERS" ${ARGN})
  if(NOT DURASCRIBE_PRECOMPILED)
    return()
  endif()
  set(source ${CMAKE_BINARY_DIR}/precompiled/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "// Nothing: its headers are what counts.\n")
  add_library(durascribe_precompiled_${name} OBJECT ${source})
  target_link_libraries(durascribe_precompiled_${name} PRIVATE ${P_LIBRARIES})
  target_precompile_headers(durascribe_precompiled_${name} PRIVATE ${P_HEADERS})
endfunction()

function(durascribe_precompile target name)
  if(TARGET durascribe_precompiled_${name})
    target_precompile_headers(${target} REUSE_FROM durascribe_precompiled_${name})
  endif()
endfunction()

durascribe_precompiled(common LIBRARIES fmt::fmt HEADERS ${DURASCRIBE_COMMON_HEADERS})
durascribe_precompiled(http LIBRARIES fmt::fmt Boost::json Boost::url
  HEADERS ${DURASCRIBE_COMMON_HEADERS} <boost/json.hpp> <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp>
    <boost/asio/ip/tcp.hpp> <boost/asio/use_awaitable.hpp> <boost/beast/core.hpp> <boost/beast/http.hpp>)
if(DURASCRIBE_TESTS)
  durascribe_precompiled(test LIBRARIES fmt::fmt Boost::json GTest::gmock GTest::gtest
    HEADERS ${DURASCRIBE_COMMON_HEADERS} <boost/json.hpp> <gmock/gmock.h> <gtest/gtest.h>)
  if(TARGET durascribe_precompiled_test)
    target_compile_options(durascribe_precompiled_test PRIVATE ${DURASCRIBE_QUICK_TO_BUILD})
  endif()
endif()
