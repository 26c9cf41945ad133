# durascribe_page(<output.cpp>): the page as `page_files()`, made by Node.js and npm. Without them, or
# with -DDURASCRIBE_WEB=OFF (also from the environment), there are no files, and the server says how
# to get them.
set(DURASCRIBE_WEB "$ENV{DURASCRIBE_WEB}" CACHE STRING "Build the page into the server: ON, OFF, or empty for where Node.js is")

function(durascribe_page output)
  find_program(DURASCRIBE_NODE NAMES node nodejs)
  find_program(DURASCRIBE_NPM npm)
  set(usable OFF)
  if(DURASCRIBE_NODE AND DURASCRIBE_NPM)
    execute_process(COMMAND ${DURASCRIBE_NODE} -p "process.versions.node" OUTPUT_VARIABLE version
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(version VERSION_GREATER_EQUAL 18)
      set(usable ON)
    endif()
  endif()
  set(wanted "${DURASCRIBE_WEB}")
  if(wanted STREQUAL "")
    set(wanted ${usable})
  elseif(wanted AND NOT usable)
    message(FATAL_ERROR "DURASCRIBE_WEB=ON needs Node.js 18 or later and npm.")
  endif()
  if(NOT wanted)
    message(STATUS "The server is built without its page (Node.js 18 or later and npm make it).")
    file(CONFIGURE OUTPUT ${output} CONTENT
"#include \"durascribe/api/page.h\"

namespace durascribe::api {

std::span<const PageFile> page_files() {
    return {};
}

}  // namespace durascribe::api
" @ONLY)
    return()
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/web/src/* ${CMAKE_SOURCE_DIR}/web/scripts/*.mjs)
  list(FILTER sources EXCLUDE REGEX "\\.test\\.tsx?$")
  add_custom_command(OUTPUT ${output}
    COMMAND ${DURASCRIBE_NODE} scripts/build.mjs ${CMAKE_BINARY_DIR}/web ${output}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/web
    DEPENDS ${sources} ${CMAKE_SOURCE_DIR}/web/index.html ${CMAKE_SOURCE_DIR}/web/package.json
      ${CMAKE_SOURCE_DIR}/web/package-lock.json ${CMAKE_SOURCE_DIR}/web/vite.config.ts
      ${CMAKE_SOURCE_DIR}/web/tsconfig.json ${CMAKE_SOURCE_DIR}/src/api/openapi.json
    COMMENT "Building the page"
    VERBATIM)
endfunction()
