# Where there is no Node.js, and with DURASCRIBE_WEB=OFF, the server's list of files of the page is
# empty and nothing is asked of Node.js; DURASCRIBE_WEB=ON without it is refused.
#   cmake -DROOT=<source folder> -DSCRATCH=<file> -P without_page.cmake
# Each case is one more run of this file (with OUTPUT): a rule to build anything is an error in it, as
# a script can hold none.
if(OUTPUT)
  set(CMAKE_SOURCE_DIR ${ROOT})
  include(${ROOT}/web/page.cmake)
  durascribe_page(${OUTPUT})
  return()
endif()

set(no_node -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF)
function(expect what code words)
  file(REMOVE ${SCRATCH})
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${ROOT} -DOUTPUT=${SCRATCH} ${ARGN} -P ${CMAKE_CURRENT_LIST_FILE}
    RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if((code EQUAL 0) AND NOT (result EQUAL 0) OR NOT (code EQUAL 0) AND (result EQUAL 0) OR NOT said MATCHES "${words}")
    message(FATAL_ERROR "${what}: exit code ${result}\n${said}")
  endif()
  if(code EQUAL 0)
    file(READ ${SCRATCH} made)
    if(NOT made MATCHES "page_files\\(\\) {\n    return {};")
      message(FATAL_ERROR "${what}: it has files:\n${made}")
    endif()
  endif()
endfunction()

set(ENV{DURASCRIBE_WEB} "")
expect("no Node.js" 0 "built without its page" ${no_node})
expect("OFF" 0 "built without its page" -DDURASCRIBE_WEB=OFF)
expect("ON, and no Node.js" 1 "needs Node.js 18" -DDURASCRIBE_WEB=ON ${no_node})
set(ENV{DURASCRIBE_WEB} OFF)
expect("OFF from the environment" 0 "built without its page")
