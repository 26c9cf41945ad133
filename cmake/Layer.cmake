# durascribe_layer(<folder under src/>
#   [SOURCES a.cpp ...] [USES layer ...] [LIBRARIES lib ...] [PRIVATE_LIBRARIES lib ...]
#   [TESTS a_test.cpp ...] [TEST_USES layer ...] [TEST_LIBRARIES lib ...] [PRECOMPILED name])
#
# Makes the static library durascribe_<folder> whose headers are included as
# "durascribe/<folder>/x.h". The include root of a layer holds that layer alone, so that a
# header of a layer not named in USES (directly or through one that is) is not found.
# TESTS become one GoogleTest program, durascribe_<folder>_test, each case a ctest test.
function(durascribe_layer folder)
  cmake_parse_arguments(L "" "PRECOMPILED" "SOURCES;USES;LIBRARIES;PRIVATE_LIBRARIES;TESTS;TEST_USES;TEST_LIBRARIES" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  set(target durascribe_${name})
  set(root ${CMAKE_BINARY_DIR}/layers/${name})
  get_filename_component(parent ${folder} DIRECTORY)
  file(MAKE_DIRECTORY ${root}/durascribe/${parent})
  if(NOT EXISTS ${root}/durascribe/${folder})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${folder} ${root}/durascribe/${folder} SYMBOLIC)
  endif()

  if(L_SOURCES)
    add_library(${target} STATIC ${L_SOURCES})
    set(scope PUBLIC)
    target_compile_options(${target} PRIVATE ${DURASCRIBE_WARNINGS})
    target_link_libraries(${target} PRIVATE ${L_PRIVATE_LIBRARIES})
    if(NOT L_PRECOMPILED)
      set(L_PRECOMPILED common)
    endif()
    durascribe_precompile(${target} ${L_PRECOMPILED})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${root})
  foreach(used ${L_USES})
    string(REPLACE "/" "_" used ${used})
    target_link_libraries(${target} ${scope} durascribe_${used})
  endforeach()
  target_link_libraries(${target} ${scope} ${L_LIBRARIES})

  if(DURASCRIBE_TESTS AND L_TESTS)
    durascribe_test(${target}_test SOURCES ${L_TESTS} USES ${folder} ${L_TEST_USES}
      LIBRARIES ${L_TEST_LIBRARIES})
  endif()
endfunction()

# durascribe_test(<target> SOURCES ... [USES layer ...] [LIBRARIES lib ...] [TIMEOUT seconds]
#   [ENVIRONMENT NAME=value]): one GoogleTest program whose cases are found after it is built. What RapidCheck draws is
#   always the same, so that a red run means a change; by hand RC_PARAMS says otherwise.
function(durascribe_test target)
  cmake_parse_arguments(T "" "TIMEOUT;ENVIRONMENT" "SOURCES;USES;LIBRARIES" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 600)
  endif()
  if(NOT T_ENVIRONMENT)
    set(T_ENVIRONMENT RC_PARAMS=seed=20261124)
  endif()
  include(GoogleTest)
  add_executable(${target} ${T_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_compile_options(${target} PRIVATE ${DURASCRIBE_WARNINGS} ${DURASCRIBE_QUICK_TO_BUILD})
  durascribe_precompile(${target} test)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support)
  foreach(used ${T_USES})
    string(REPLACE "/" "_" used ${used})
    target_link_libraries(${target} PRIVATE durascribe_${used})
  endforeach()
  target_link_libraries(${target} PRIVATE ${T_LIBRARIES} GTest::gmock GTest::gtest GTest::gtest_main)
  gtest_discover_tests(${target} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${T_TIMEOUT} ENVIRONMENT "${T_ENVIRONMENT}")
endfunction()

set(DURASCRIBE_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-missing-field-initializers -Werror)
