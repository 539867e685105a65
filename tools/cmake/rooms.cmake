# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
#
# One target per room, and who may include whom: a room sees include/ and what it links, nothing
# else. sp_room(NAME SOURCES… USES rooms… LIBRARIES pkg-config-targets…)
include(CheckCCompilerFlag)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(SP_WARNINGS -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion
    -Wno-sign-conversion -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Werror)

add_library(sp_contract INTERFACE)
target_include_directories(sp_contract INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_compile_options(sp_contract INTERFACE ${SP_WARNINGS})
target_compile_definitions(sp_contract INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64 _TIME_BITS=64
    SP_VERSION="${PROJECT_VERSION}")
target_link_libraries(sp_contract INTERFACE m)
if(SP_SANITIZE)
  target_compile_options(sp_contract INTERFACE -fsanitize=${SP_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all)
  target_link_options(sp_contract INTERFACE -fsanitize=${SP_SANITIZE})
else()
  target_compile_options(sp_contract INTERFACE -fstack-protector-strong)
  target_compile_definitions(sp_contract INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()

if(SP_FUZZ)
  # libFuzzer steers by coverage, so the code under test needs it, too.
  target_compile_options(sp_contract INTERFACE -fsanitize=fuzzer-no-link)
endif()

# A library from Debian, by pkg-config, with a minimum version: sp_library(uv "libuv>=1.44")
function(sp_library name spec)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET GLOBAL ${spec})
endfunction()

# Rooms that may see agent/ and tools/ headers say PRIVATE_HEADERS.
function(sp_room name)
  cmake_parse_arguments(ROOM "PRIVATE_HEADERS" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(${name} PUBLIC sp_contract ${ROOM_USES} ${ROOM_LIBRARIES} Threads::Threads)
  if(ROOM_PRIVATE_HEADERS)
    target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  endif()
endfunction()

function(sp_program name)
  cmake_parse_arguments(PROGRAM "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_executable(${name} ${PROGRAM_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE sp_contract ${PROGRAM_USES} ${PROGRAM_LIBRARIES} Threads::Threads)
endfunction()

# sp_unit_test(base_buf SOURCES buf_test.c USES sp_base): a cmocka program, run by ctest
# LABELS threads: it has more than one, and runs under the thread sanitizer, too.
add_custom_target(threads_targets)
function(sp_unit_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;USES;LIBRARIES;LABELS" ${ARGN})
  add_executable(test_${name} ${TEST_SOURCES})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_${name} PRIVATE sp_contract ${TEST_USES} ${TEST_LIBRARIES} PkgConfig::cmocka
      Threads::Threads)
  # cmocka's header needs these two off.
  target_compile_options(test_${name} PRIVATE -Wno-missing-prototypes -Wno-cast-qual)
  # Long random walks are shorter under sanitizers and emulation.
  if(SP_SANITIZE OR CMAKE_CROSSCOMPILING)
    target_compile_definitions(test_${name} PRIVATE SP_TEST_SHORT)
  endif()
  if("threads" IN_LIST TEST_LABELS)
    add_dependencies(threads_targets test_${name})
  endif()
  add_test(NAME unit.${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(unit.${name} PROPERTIES LABELS "unit;${TEST_LABELS}" TIMEOUT 240)
endfunction()

# sp_fuzz_target(config SOURCES fuzz_config.c USES sp_base): with SP_FUZZ a libFuzzer program; always a plain
# program that replays its corpus (tests/fuzz/corpus/<name>), run by ctest under whatever sanitizers are on.
add_custom_target(fuzz_targets)
function(sp_fuzz_target name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_executable(fuzz_${name} ${FUZZ_SOURCES})
  add_dependencies(fuzz_targets fuzz_${name})
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(fuzz_${name} PRIVATE sp_contract ${FUZZ_USES} ${FUZZ_LIBRARIES} Threads::Threads)
  # A source's options come after those of the contract; the target's own would be overruled by them.
  set_source_files_properties(${FUZZ_SOURCES} PROPERTIES COMPILE_OPTIONS -Wno-missing-prototypes)
  if(SP_FUZZ)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set(arguments -runs=0)
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
    set(arguments "")
  endif()
  add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${arguments} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
