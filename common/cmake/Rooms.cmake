# One function per kind of target, so that a room, a scenario and a test are declared alike.

# lab_room(NAME SOURCES file... [USES room-or-library...] [HIDES library...] [OWN_MACROS])
# USES is visible to whoever links the room, HIDES is not (third-party libraries that stay in .cpp files). OWN_MACROS: what
# it hides defines macros that a header common to all rooms would not have seen.
function(lab_room name)
  cmake_parse_arguments(room "OWN_MACROS" "" "SOURCES;USES;HIDES" ${ARGN})
  add_library(lab_${name} STATIC ${room_SOURCES})
  add_library(lab::${name} ALIAS lab_${name})
  target_link_libraries(lab_${name} PUBLIC lab_options ${room_USES} PRIVATE ${room_HIDES})
  if(room_OWN_MACROS)
    lab_precompile(lab_${name})
  else()
    lab_precompile(lab_${name} lab_precompiled)
  endif()
endfunction()

# What `./lab run` needs built: the scenarios, the supervisor of their servers, and `lab` itself.
add_custom_target(lab_programs)

# lab_scenario(NAME MAIN file PARTS file... [USES room...] [HIDES library...] [OWN_MACROS] [BENCH file])
# Makes bin/NAME from MAIN, bin/NAME_bench from BENCH (Google Benchmark), and the library lab_scenario_NAME from the
# parts, which both share with the scenario's tests. HIDES and OWN_MACROS as for a room.
function(lab_scenario name)
  cmake_parse_arguments(scenario "OWN_MACROS" "MAIN;BENCH" "PARTS;USES;HIDES" ${ARGN})
  add_library(lab_scenario_${name} STATIC ${scenario_PARTS})
  target_include_directories(lab_scenario_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(lab_scenario_${name} PUBLIC lab::harness ${scenario_USES} PRIVATE ${scenario_HIDES})
  if(scenario_OWN_MACROS)
    lab_precompile(lab_scenario_${name})
  else()
    lab_precompile(lab_scenario_${name} lab_precompiled)
  endif()

  add_executable(${name} ${scenario_MAIN})
  target_link_libraries(${name} PRIVATE lab_scenario_${name})
  lab_precompile(${name} lab_precompiled)
  add_dependencies(${name} lab_supervisor)
  add_dependencies(lab_programs ${name})
  if(scenario_BENCH AND NOT LAB_SANITIZE)
    add_executable(${name}_bench ${scenario_BENCH})
    target_link_libraries(${name}_bench PRIVATE lab_scenario_${name} lab_bench_main)
    lab_precompile(${name}_bench lab_precompiled)
    if(LAB_TESTS)  # smoke size: that it runs, not how fast
      add_test(NAME ${name}_bench_smoke COMMAND ${name}_bench --benchmark_min_time=0.001)
      set_tests_properties(${name}_bench_smoke PROPERTIES LABELS "scenario;bench" TIMEOUT 120)
    endif()
  endif()
endfunction()

# The rooms where threads meet: their tests get the label `threads`, which the preset tsan builds and runs.
set(lab_rooms_with_threads core infra faults harness actors net queue)
add_custom_target(lab_tsan)

# lab_test(NAME LABELS label... SOURCES file... [USES target...] [TIMEOUT seconds] [SERIAL] [ONE_THREAD])
# A GoogleTest program of the name test_NAME, one CTest entry; exit 77 counts as skipped. ONE_THREAD: in such a room, and has
# nothing to show ThreadSanitizer.
function(lab_test name)
  cmake_parse_arguments(test "SERIAL;ONE_THREAD" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
  if(NOT test_TIMEOUT)
    set(test_TIMEOUT 120)
  endif()
  add_executable(test_${name} ${test_SOURCES})
  target_link_libraries(test_${name} PRIVATE ${test_USES} lab_options GTest::gtest GTest::gmock lab_test_main)
  lab_precompile(test_${name} lab_test_precompiled)
  add_test(NAME ${name} COMMAND test_${name} --gtest_output=xml:${CMAKE_BINARY_DIR}/gtest/${name}.xml)
  set_tests_properties(${name} PROPERTIES LABELS "${test_LABELS}" SKIP_RETURN_CODE 77 TIMEOUT ${test_TIMEOUT}
    COST ${test_TIMEOUT})  # the longest first
  foreach(label ${test_LABELS})
    if(label IN_LIST lab_rooms_with_threads AND NOT test_ONE_THREAD)
      set_property(TEST ${name} APPEND PROPERTY LABELS threads)
      add_dependencies(lab_tsan test_${name})
      break()
    endif()
  endforeach()
  if(test_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
