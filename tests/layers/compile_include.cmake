# Compiles one include with a layer's own include folders and compares with what is EXPECTED:
# "compiles", or "refused" because the header is not found (no other error will do).
string(REPLACE "|" ";" folders "${INCLUDES}")
set(flags)
foreach(folder ${folders})
  if(folder)
    list(APPEND flags -I${folder})
  endif()
endforeach()
file(WRITE ${SCRATCH} "#include \"${HEADER}\"\n")
execute_process(COMMAND ${COMPILER} -std=c++23 -fsyntax-only ${flags} ${SCRATCH}
  RESULT_VARIABLE code ERROR_VARIABLE errors)
if(EXPECTED STREQUAL "compiles" AND NOT code EQUAL 0)
  message(FATAL_ERROR "${HEADER} should compile here:\n${errors}")
endif()
if(EXPECTED STREQUAL "refused" AND NOT errors MATCHES "'${HEADER}' file not found")
  message(FATAL_ERROR "${HEADER} should not be found here, but: exit ${code}\n${errors}")
endif()
