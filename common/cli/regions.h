#pragma once
// The parts of a document that are not written by hand: they are taken from the sources and from
// recorded results, so they cannot drift from what they speak of. `lab docs` renews them, the tidy
// test says when one is out of date.
//
//   <!-- code: scenarios/cache_aside/cache_aside.h from="class ProductReader" -->
//   <!-- /code -->
// is the block of that file which begins in the first line with that text and ends where its braces
// balance; without `from`, the whole file.
//
//   <!-- table: results/reference/cache_aside.json speed reads_per_second read_p99_us -->
//   <!-- /table -->
// is a table of that result (cli/tables.h).
//
//   <!-- picture: results/reference/cache_aside.json speed.svg reads_per_second -->
//   <!-- /picture -->
// is a picture of these metrics (cli/chart.h), in a file of that name beside the document.
//
// What stands inside a fenced code block is an example, as here, and is left alone.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace lab::cli {

struct Region {
  int line = 0;      // of its opening mark, from 1
  std::string mark;  // "table: results/reference/cache_aside.json speed"
  bool stale = false;
};

struct Document {
  std::string text;  // with every region as it should be
  std::vector<Region> regions;
  std::map<std::string, std::string> pictures;  // files beside it, by path from the top
};

/// Reads a file by its path from the top of the repository.
using ReadFile = std::function<Result<std::string>(const std::string& path)>;

/// `path` is the document's own, so that links in it can be relative. The first region that cannot
/// be made is the error; it names the line.
Result<Document> refresh(std::string_view document, const std::string& path, const ReadFile& read);

/// The block of C++ that begins in the first line with the text `from`, without the indentation
/// that all its lines share. A declaration without braces ends at its semicolon.
Result<std::string> source_block(std::string_view source, std::string_view from);

}  // namespace lab::cli
