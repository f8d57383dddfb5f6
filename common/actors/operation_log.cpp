#include "actors/operation_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/random.h"
#include "core/result.h"

namespace lab::actors {
namespace {

using harness::Operation;
using harness::Outcome;

enum Phase : std::uint8_t { kInvoked = 1, kReturned = 2 };

/// As it lies in the file. Written and read on one machine, so in its own byte order.
struct Record {
  std::int64_t at_ns = 0;
  std::int64_t key = 0, value = 0, aux = 0;
  std::uint32_t client = 0;
  std::uint16_t kind = 0;
  std::uint8_t phase = 0, outcome = 0;
  std::uint64_t checksum = 0;

  std::uint64_t checksum_of_the_rest() const {
    std::uint64_t sum = 0x6f70'6c6f'6731ULL;  // "oplog1"
    const std::uint64_t small = std::uint64_t{client} << 32 | std::uint64_t{kind} << 16 |
                                std::uint64_t{phase} << 8 | outcome;
    for (const std::uint64_t field :
         {static_cast<std::uint64_t>(at_ns), static_cast<std::uint64_t>(key),
          static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(aux), small}) {
      sum = mix64(sum ^ field);
    }
    return sum;
  }
};
static_assert(sizeof(Record) == 48, "no padding: every byte of a record is its own");

[[noreturn]] void fail(const std::filesystem::path& file, const char* what) {
  throw Failure(
      Error{errno == ENOSPC ? ErrorCode::exhausted : ErrorCode::unavailable, Happened::no,
            std::string("cannot ") + what + " " + file.string() + ": " + std::strerror(errno)});
}

Record record_of(const Operation& operation, Phase phase) {
  Record record;
  record.at_ns = std::chrono::duration_cast<Nanos>(now().time_since_epoch()).count();
  record.key = operation.key;
  record.value = operation.value;
  record.aux = operation.aux;
  record.client = operation.client;
  record.kind = operation.kind;
  record.phase = phase;
  record.outcome = static_cast<std::uint8_t>(operation.outcome);
  record.checksum = record.checksum_of_the_rest();
  return record;
}

void append(int file, const Record& record) {
  ssize_t written = 0;
  do {
    written = ::write(file, &record, sizeof record);
  } while (written < 0 && errno == EINTR);
  if (written != sizeof record) fail("the history", "write to");
}

Operation begun(const Record& record, Instant zero, Nanos end) {
  Operation operation;
  operation.key = record.key;
  operation.value = record.value;
  operation.aux = record.aux;
  operation.client = record.client;
  operation.kind = record.kind;
  operation.planned = operation.invoked = Instant(Nanos(record.at_ns)) - zero;
  operation.returned = end;
  operation.outcome = Outcome::info;
  return operation;
}

}  // namespace

OperationLog::OperationLog(const std::filesystem::path& file)
    : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  struct stat found {};
  if (file_ < 0 || ::fstat(file_, &found) != 0) fail(file, "open");
  const auto torn = found.st_size % static_cast<off_t>(sizeof(Record));
  if (torn != 0 && ::ftruncate(file_, found.st_size - torn) != 0) fail(file, "mend");
}

OperationLog::~OperationLog() {
  ::close(file_);
}

void OperationLog::invoked(const Operation& operation) {
  append(file_, record_of(operation, kInvoked));
}

void OperationLog::returned(const Operation& operation) {
  append(file_, record_of(operation, kReturned));
}

std::vector<Operation> read_operations(const std::filesystem::path& file, Instant zero, Nanos end) {
  std::vector<Operation> operations;
  std::ifstream input(file, std::ios::binary);
  if (!input) {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) return operations;
    fail(file, "read");
  }
  bool open = false;  // the last operation waits for its answer
  Record record;
  while (input.read(reinterpret_cast<char*>(&record), sizeof record)) {
    const bool intact = record.checksum == record.checksum_of_the_rest();
    if (!intact || (record.phase == kReturned && !open))
      throw Failure(file.string() + " is no history of a client, or it is damaged");
    if (record.phase == kInvoked) {
      operations.push_back(begun(record, zero, end));
    } else {
      Operation& operation = operations.back();
      operation.value = record.value;
      operation.aux = record.aux;
      operation.outcome = static_cast<Outcome>(record.outcome);
      operation.returned = Instant(Nanos(record.at_ns)) - zero;
    }
    open = record.phase == kInvoked;
  }
  return operations;
}

}  // namespace lab::actors
