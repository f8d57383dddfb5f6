# The headers that nearly every file includes, compiled once: see docs/decisions/0010-what-a-build-costs.md.
# A file still includes what it uses; with LAB_PRECOMPILE=OFF nothing but its own lines does.
option(LAB_PRECOMPILE "Precompile the headers that nearly every file includes" ON)

set(lab_everywhere <algorithm> <atomic> <chrono> <cstdint> <filesystem> <fstream> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <sstream> <string> <string_view> <thread> <vector> <fmt/format.h>)

# lab_precompile(TARGET OWNER): TARGET uses the headers of OWNER, which must be compiled with the same macros. Without an
# OWNER it precompiles its own.
function(lab_precompile target)
  if(NOT LAB_PRECOMPILE)
    return()
  endif()
  if(ARGN)
    target_precompile_headers(${target} REUSE_FROM ${ARGN})
  else()
    target_precompile_headers(${target} PRIVATE ${lab_everywhere})
  endif()
endfunction()

# lab_precompile_for_others(OWNER "headers" library...)
function(lab_precompile_for_others owner headers)
  if(NOT LAB_PRECOMPILE)
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${owner}.cpp CONTENT "")
  add_library(${owner} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${owner}.cpp)
  target_link_libraries(${owner} PRIVATE lab_options Boost::headers fmt::fmt Threads::Threads ${ARGN})
  target_precompile_headers(${owner} PRIVATE ${headers})
endfunction()

lab_precompile_for_others(lab_precompiled "${lab_everywhere}")
