#include "checks.h"

#include <fmt/format.h>

#include <algorithm>

namespace large_file_streaming {
namespace {

using lab::harness::Check;
using lab::harness::CheckResult;
using MaybeResult = std::optional<CheckResult>;

std::string mib(double bytes) {
  return fmt::format("{:.1f} MiB", bytes / static_cast<double>(kMiB));
}

std::string size_in_words(std::uint64_t bytes) {
  return bytes % kMiB == 0 && bytes > 0 ? fmt::format("{} MiB", bytes / kMiB)
                                        : fmt::format("{} bytes", bytes);
}

bool is_right(const Transfer& transfer) {
  return transfer.ending == Ending::complete && transfer.status / 100 == 2 && transfer.right &&
         transfer.coded_as_asked && transfer.same == transfer.size;
}

std::string describe(const Transfer& transfer) {
  return fmt::format("{}{}: status {}, {}, the first {} bytes are right{}{}",
                     size_in_words(transfer.size), transfer.gzip ? " (gzip)" : "", transfer.status,
                     name(transfer.ending), transfer.same, transfer.right ? "" : ", others follow",
                     transfer.coded_as_asked ? "" : ", in another coding than was asked for");
}

/// Who was itself not run for half of the stall limit may have been cut off rightly.
bool cut_by_the_machine(const Evidence& evidence, Ending ending, Nanos waited) {
  return ending == Ending::cut && std::max(evidence.hiccup, waited) > evidence.stall / 2;
}

CheckResult judge_wrong(const Evidence& evidence, const Transfer& transfer, const std::string& what,
                        std::uint64_t examined) {
  const Nanos late = std::max(evidence.hiccup, transfer.waited);
  if (transfer.right && cut_by_the_machine(evidence, transfer.ending, transfer.waited))
    return CheckResult::inconclusive(fmt::format("{}; its client was itself not run for {:.0f} ms",
                                                 what, lab::milliseconds(late)));
  return CheckResult::violated(what, examined);
}

/// What came as a whole is the file; what is small comes as a whole.
MaybeResult content_exact(const Evidence& evidence) {
  if (evidence.step == Step::root) return std::nullopt;
  for (const auto& transfer : evidence.transfers) {
    if (!is_right(transfer))
      return judge_wrong(evidence, transfer, describe(transfer), evidence.transfers.size());
  }
  for (const auto& transfer : evidence.large) {  // that it comes at all is another check's business
    if (transfer.ending == Ending::complete && transfer.status / 100 == 2 && !is_right(transfer))
      return CheckResult::violated(describe(transfer), evidence.transfers.size());
  }
  if (evidence.transfers.empty()) return CheckResult::inconclusive("nothing was transferred");
  return CheckResult::holds(evidence.transfers.size() + evidence.large.size());
}

/// What the header must say: which bytes of how many; nothing where the whole file comes.
std::string content_range(const RangeQuestion& question, std::uint64_t size) {
  if (question.status == 416) return fmt::format("bytes */{}", size);
  if (question.status != 206) return {};
  const auto& slice = question.slice;
  return fmt::format("bytes {}-{}/{}", slice.offset, slice.offset + slice.length - 1, size);
}

MaybeResult ranges_exact(const Evidence& evidence) {
  if (evidence.step != Step::download) return std::nullopt;
  for (const auto& answer : evidence.ranges) {
    const auto& wanted = answer.question;
    if (answer.status == wanted.status && answer.bytes == wanted.slice.length &&
        answer.bytes_right && answer.content_range == content_range(wanted, evidence.range_size))
      continue;
    const std::string what =
        fmt::format("Range: {}: wanted {} with {} bytes from {}, got {} with {} bytes, {} ({})",
                    wanted.value, wanted.status, wanted.slice.length, wanted.slice.offset,
                    answer.status, answer.bytes, answer.bytes_right ? "right" : "wrong",
                    answer.content_range.empty() ? "no Content-Range" : answer.content_range);
    if (answer.bytes_right && answer.status == wanted.status &&
        cut_by_the_machine(evidence, answer.ending, answer.waited))
      return CheckResult::inconclusive(what + "; its client was itself not run");
    return CheckResult::violated(what, evidence.ranges.size());
  }
  if (evidence.ranges.empty()) return CheckResult::inconclusive("no range was asked for");
  return CheckResult::holds(evidence.ranges.size());
}

MaybeResult conditions_right(const Evidence& evidence) {
  if (evidence.step != Step::download) return std::nullopt;
  for (const auto& answer : evidence.conditions) {
    if (answer.status == answer.wanted && answer.body_right) continue;
    const std::string what =
        fmt::format("{}: wanted {}, got {}{}", answer.asked, answer.wanted, answer.status,
                    answer.body_right ? "" : " with a wrong body");
    if (answer.status == answer.wanted &&
        cut_by_the_machine(evidence, answer.ending, answer.waited))
      return CheckResult::inconclusive(what + "; its client was itself not run");
    return CheckResult::violated(what, evidence.conditions.size());
  }
  if (evidence.conditions.empty()) return CheckResult::inconclusive("no condition was asked for");
  return CheckResult::holds(evidence.conditions.size());
}

MaybeResult memory_flat(const Evidence& evidence) {
  if (evidence.step == Step::root || !evidence.limit_bytes) return std::nullopt;
  const auto grown = growth(evidence);
  if (!grown) return CheckResult::inconclusive("fewer than two sizes were measured");
  const auto& base = evidence.memory.front();
  const auto& last = evidence.memory.back();
  const std::string told =
      fmt::format("peak {} at {}, {} at {}", mib(static_cast<double>(base.peak_bytes)),
                  size_in_words(base.size), mib(static_cast<double>(last.peak_bytes)),
                  size_in_words(last.size));
  if (*grown > static_cast<std::int64_t>(kFlat))
    return CheckResult::violated(told, evidence.memory.size());
  if (evidence.memory.back().size < 64 * kFlat)
    return CheckResult::inconclusive("the largest file was too small to tell: " + told);
  return CheckResult::holds(evidence.memory.size(),
                            fmt::format("+{}", mib(std::max(0.0, static_cast<double>(*grown)))));
}

MaybeResult serves_under_limit(const Evidence& evidence) {
  if (evidence.step == Step::root || !evidence.limit_bytes) return std::nullopt;
  const std::string limit = mib(static_cast<double>(*evidence.limit_bytes));
  if (evidence.died_under_limit)
    return CheckResult::violated(fmt::format("with {} of address space the server {}", limit,
                                             lab::actors::describe(*evidence.died_under_limit)),
                                 evidence.large.size());
  for (const auto& transfer : evidence.large) {
    if (!is_right(transfer))
      return judge_wrong(evidence, transfer,
                         fmt::format("with {} of address space: {}", limit, describe(transfer)),
                         evidence.large.size());
  }
  if (evidence.large.empty() || evidence.large.back().size <= *evidence.limit_bytes)
    return CheckResult::inconclusive("no file was large enough for the limit");
  return CheckResult::holds(evidence.large.size());
}

/// The kernel's timer may be late by as much as this process was.
MaybeResult absent_freed(const Evidence& evidence) {
  if (!evidence.rough || evidence.step == Step::root) return std::nullopt;
  const Nanos bound = kFreedWithin + evidence.hiccup;
  Nanos worst{};
  for (const auto& absent : evidence.absent) {
    if (!absent.death.empty())
      return CheckResult::violated(fmt::format("{} clients, each {}: the server {}", absent.clients,
                                               absent.how, absent.death),
                                   evidence.absent.size());
    if (absent.freed && *absent.freed <= bound) {
      worst = std::max(worst, *absent.freed);
      continue;
    }
    if (!absent.freed && bound > kFreedWatched)
      return CheckResult::inconclusive(fmt::format(
          "nothing was free after {:.0f} ms, and the machine slept for {:.0f} ms itself",
          lab::milliseconds(kFreedWatched), lab::milliseconds(evidence.hiccup)));
    return CheckResult::violated(
        fmt::format("{} clients, each {}: {}", absent.clients, absent.how,
                    absent.freed ? fmt::format("all was free after {:.0f} ms",
                                               lab::milliseconds(*absent.freed))
                                 : "descriptors or threads were still held when the wait was over"),
        evidence.absent.size());
  }
  if (evidence.absent.empty()) return CheckResult::inconclusive("nobody went away");
  return CheckResult::holds(evidence.absent.size(),
                            fmt::format("{:.0f} ms", lab::milliseconds(worst)));
}

MaybeResult slow_reader_served(const Evidence& evidence) {
  if (!evidence.rough || evidence.step != Step::download) return std::nullopt;
  if (!evidence.slow_reader) return CheckResult::inconclusive("nobody read slowly");
  if (!is_right(*evidence.slow_reader))
    return judge_wrong(evidence, *evidence.slow_reader,
                       "a slow reader: " + describe(*evidence.slow_reader), 1);
  return CheckResult::holds(1);
}

std::string describe(const Truncation& cut) {
  return fmt::format("{} cut to {}{} after {} bytes had come: {} bytes, {}, the bytes {}",
                     size_in_words(cut.size), size_in_words(cut.cut_to), cut.gzip ? " (gzip)" : "",
                     cut.before, cut.received, name(cut.ending),
                     cut.bytes_right ? "right" : "wrong");
}

/// The client must be able to tell: all of the file as it was, or a connection that ends before its time.
MaybeResult truncation_aborts(const Evidence& evidence) {
  if (!evidence.rough || evidence.step != Step::download) return std::nullopt;
  for (const auto& cut : evidence.truncations) {
    if (cut.server)
      return CheckResult::violated(
          fmt::format("{}; the server {}", describe(cut), lab::actors::describe(*cut.server)),
          evidence.truncations.size());
    const bool whole = cut.ending == Ending::complete && cut.received == cut.size;
    const bool aborted = cut.ending == Ending::cut;
    if (!cut.bytes_right || !(whole || aborted))
      return CheckResult::violated(describe(cut), evidence.truncations.size());
  }
  if (evidence.truncations.empty()) return CheckResult::inconclusive("no file was cut");
  return CheckResult::holds(evidence.truncations.size());
}

MaybeResult aborts_leak_nothing(const Evidence& evidence) {
  if (!evidence.rough || evidence.step == Step::root) return std::nullopt;
  if (!evidence.aborts) return CheckResult::inconclusive("nobody hung up");
  const auto& aborts = *evidence.aborts;
  if (!aborts.death.empty())
    return CheckResult::violated(
        fmt::format("{} aborted: the server {}", aborts.count, aborts.death), aborts.count);
  if (aborts.descriptors_after > aborts.descriptors_before ||
      aborts.threads_after > aborts.threads_before || aborts.left_behind > 0)
    return CheckResult::violated(
        fmt::format("{} aborted: {} descriptors became {}, {} threads became {}, {} unfinished "
                    "uploads stayed",
                    aborts.count, aborts.descriptors_before, aborts.descriptors_after,
                    aborts.threads_before, aborts.threads_after, aborts.left_behind),
        aborts.count);
  return CheckResult::holds(aborts.count);
}

MaybeResult upload_old_or_new(const Evidence& evidence) {
  if (!evidence.rough || evidence.step != Step::upload) return std::nullopt;
  std::size_t died = 0;
  for (const auto& kill : evidence.kills) {
    died += kill.died ? 1 : 0;
    const std::string where = kill.point.empty() ? "at a random moment" : "after " + kill.point;
    if (kill.found == Kill::Found::neither)
      return CheckResult::violated(
          fmt::format("killed {}: neither the old file nor the new one, but {} bytes", where,
                      kill.size),
          evidence.kills.size());
    if (kill.acknowledged && kill.found == Kill::Found::old_version)
      return CheckResult::violated(
          fmt::format("killed {}: the new file was acknowledged, and the old one is there", where),
          evidence.kills.size());
    if (kill.left_behind > 0)
      return CheckResult::violated(
          fmt::format("killed {}: {} unfinished uploads after the next start", where,
                      kill.left_behind),
          evidence.kills.size());
  }
  if (died == 0) return CheckResult::inconclusive("no server died within an upload");
  return CheckResult::holds(evidence.kills.size());
}

MaybeResult root_confined(const Evidence& evidence) {
  std::size_t leaks = 0;
  const PathAnswer* first = nullptr;
  for (const auto& answer : evidence.paths) {
    const bool right = answer.question.inside
                           ? answer.status == 200 && answer.inside
                           : answer.status / 100 != 2 && !answer.canary && !answer.silent;
    if (right) continue;
    leaks += answer.canary ? 1 : 0;
    if (!first || (answer.canary && !first->canary)) first = &answer;
  }
  if (first)
    return CheckResult::violated(
        fmt::format("{} of {} paths led out; GET {:.60}: {}{}", leaks, evidence.paths.size(),
                    first->question.target, first->status,
                    first->canary   ? " with what lies outside"
                    : first->silent ? ", neither answered nor closed"
                                    : ""),
        evidence.paths.size());
  if (evidence.paths.empty()) return CheckResult::inconclusive("no path was asked for");
  return CheckResult::holds(evidence.paths.size());
}

}  // namespace

std::optional<std::int64_t> growth(const Evidence& evidence) {
  if (evidence.memory.size() < 2) return std::nullopt;
  return static_cast<std::int64_t>(evidence.memory.back().peak_bytes) -
         static_cast<std::int64_t>(evidence.memory.front().peak_bytes);
}

const std::vector<Check<Evidence>>& checks() {
  static const std::vector<Check<Evidence>> all{
      {"content-exact", "what comes out is what went in, byte for byte, at every size",
       content_exact},
      {"ranges-exact", "a range gives exactly its bytes: 206, 416, or the whole file",
       ranges_exact},
      {"conditions-right", "conditional requests and HEAD get what RFC 9110 says",
       conditions_right},
      {"memory-flat", "the peak at the large file is that at 1 MiB, within 2 MiB", memory_flat},
      {"serves-under-limit", "the large file goes through 256 MiB of address space",
       serves_under_limit},
      {"absent-freed", "who reads or sends nothing more, or is gone, costs nothing after a second",
       absent_freed},
      {"slow-reader-served", "who reads slowly gets the whole file", slow_reader_served},
      {"truncation-aborts",
       "a file that shrinks ends its connection: no short body, no dead server", truncation_aborts},
      {"aborts-leak-nothing", "transfers that were broken off leave no descriptor, thread or file",
       aborts_leak_nothing},
      {"upload-old-or-new", "after a kill -9 there is the old file or the new one",
       upload_old_or_new},
      {"root-confined", "no path leads out of the root", root_confined},
  };
  return all;
}

}  // namespace large_file_streaming
