# Language level, warnings, sanitizers, ccache: what every target of the lab is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)  # for clang-tidy, and for the tidy test: what is not in there is dead

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Symbols and frame pointers stay in release builds: a profile without names teaches nothing.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-Og -g1 -fno-omit-frame-pointer")  # the sanitized presets: a quarter less to compile than -O1

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(LAB_CCACHE ccache)
if(LAB_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # What it has to be told before it caches anything that uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${LAB_CCACHE})
endif()

add_library(lab_options INTERFACE)
target_compile_options(lab_options INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -Wno-missing-field-initializers)  # a designated initialiser leaves out what keeps its default
target_include_directories(lab_options INTERFACE ${CMAKE_SOURCE_DIR}/common)

if(CMAKE_UNITY_BUILD)  # every .cpp is included by another file, and the compiler takes it for a header
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endif()
if(LAB_SANITIZE)
  # vptr and function checks report falsely across libraries that are not instrumented.
  add_compile_options(-fsanitize=${LAB_SANITIZE} -fno-sanitize-recover=all)
  if(LAB_SANITIZE MATCHES undefined)
    add_compile_options(-fno-sanitize=vptr)
    # These two look at every access and cost a third of the compile time. What the first finds ends under ASan anyway;
    # the second finds objects at odd addresses, and the only objects laid into raw bytes here begin a mapped page.
    add_compile_options(-fno-sanitize=null,alignment)
  endif()
  if(LAB_SANITIZE MATCHES thread)
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
  add_link_options(-fsanitize=${LAB_SANITIZE})
endif()
if(LAB_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
