# Every third-party package and every difference between their versions, in one place.
# Debian 12: Boost 1.81, Poco 1.11, hiredis 0.14, rabbitmq-c 0.11. Debian 13 and Ubuntu 24.04: Boost 1.83, Poco 1.13/1.11, hiredis 1.2,
# rabbitmq-c 0.15/0.11.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(benchmark REQUIRED)

# Debian's Poco config names this target and does not define it.
if(NOT TARGET MySQL::client)
  add_library(MySQL::client INTERFACE IMPORTED)
endif()
find_package(Poco 1.11 REQUIRED COMPONENTS Foundation Data DataSQLite DataMySQL)

pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(rabbitmq REQUIRED IMPORTED_TARGET librabbitmq)
# Its headers got a folder of their own with 0.12; since then the old names warn.
find_path(LAB_RABBITMQ_HEADERS rabbitmq-c/amqp.h HINTS ${rabbitmq_INCLUDE_DIRS})
if(NOT LAB_RABBITMQ_HEADERS)
  set(renamed ${CMAKE_BINARY_DIR}/renamed)
  file(CONFIGURE OUTPUT ${renamed}/rabbitmq-c/amqp.h CONTENT "#include <amqp.h>\n")
  file(CONFIGURE OUTPUT ${renamed}/rabbitmq-c/tcp_socket.h CONTENT "#include <amqp_tcp_socket.h>\n")
  target_include_directories(PkgConfig::rabbitmq INTERFACE ${renamed})
endif()
# The databases' own clients: PostgreSQL's is used as it is, the others lie under Poco::Data.
pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(mariadb REQUIRED IMPORTED_TARGET libmariadb)
pkg_check_modules(postgres REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(lua REQUIRED IMPORTED_TARGET lua5.1)
pkg_check_modules(profiler REQUIRED IMPORTED_TARGET libprofiler)

if(LAB_TESTS)
  find_package(GTest REQUIRED)
endif()
