# Every third-party package and every difference between their versions, in one place.
# Debian 12: Boost 1.81, Poco 1.11, hiredis 0.14, rabbitmq-c 0.11. Debian 13 and Ubuntu 24.04: Boost 1.83, Poco 1.13/1.11, hiredis 1.2,
# rabbitmq-c 0.15/0.11. oneTBB 2021.8, 2022.1/2021.11.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(benchmark REQUIRED)
find_package(TBB REQUIRED)
find_package(ZLIB REQUIRED)

# Debian's Poco config names this target and does not define it.
if(NOT TARGET MySQL::client)
  add_library(MySQL::client INTERFACE IMPORTED)
endif()
find_package(Poco 1.11 REQUIRED COMPONENTS Foundation Net Data DataSQLite DataMySQL)

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
# Password hashes: Argon2id, and PBKDF2 from OpenSSL, as is SHA-256.
pkg_check_modules(argon2 REQUIRED IMPORTED_TARGET libargon2)
pkg_check_modules(libcrypto REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(profiler REQUIRED IMPORTED_TARGET libprofiler)

# Asio and Beast are compiled once, here, instead of in every file that includes them. Whoever includes them links
# lab::boost, so that all see the same definitions.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/boost/asio.cpp CONTENT "#include <boost/asio/impl/src.hpp>\n")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/boost/beast.cpp CONTENT "#include <boost/beast/src.hpp>\n")
add_library(lab_boost STATIC ${CMAKE_BINARY_DIR}/boost/asio.cpp ${CMAKE_BINARY_DIR}/boost/beast.cpp)
target_compile_definitions(lab_boost PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(lab_boost PUBLIC Threads::Threads)
add_library(lab::boost ALIAS lab_boost)

if(LAB_TESTS)
  find_package(GTest REQUIRED)
endif()
