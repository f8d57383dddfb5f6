#include "product_cache.h"

#include <fmt/format.h>

#include <charconv>

#include "core/random.h"

namespace cache_aside {
namespace {

std::uint64_t checksum(std::string_view text) {
  std::uint64_t sum = text.size();
  for (const char c : text) sum = lab::mix64(sum ^ static_cast<unsigned char>(c));
  return sum;
}

/// Cuts the next field off, up to the separator.
std::string_view next_field(std::string_view& rest) {
  const auto end = rest.find('|');
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return field;
}

template <class Number>
bool parse(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

std::int64_t wall_clock_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string key_of(ProductId id) {
  return fmt::format("product:{}", id.value);
}

bool Entry::is_fresh() const {
  return fresh_until_ms == 0 || wall_clock_ms() < fresh_until_ms;
}

std::string encode(const Entry& entry) {
  const Product& product = entry.product;
  std::string text = fmt::format("{}|{}|{}|{}|{}|", product.id.value, product.version,
                                 product.price.value, entry.fresh_until_ms, product.name);
  return text + fmt::format("{:016x}", checksum(text));
}

std::optional<Entry> decode_unchecked(std::string_view text) {
  Entry entry;
  Product& product = entry.product;
  if (!parse(next_field(text), product.id.value) || !parse(next_field(text), product.version) ||
      !parse(next_field(text), product.price.value) ||
      !parse(next_field(text), entry.fresh_until_ms)) {
    return std::nullopt;
  }
  product.name = next_field(text);
  return entry;
}

std::optional<Entry> decode(std::string_view text, ProductId expected) {
  constexpr std::size_t kChecksumDigits = 16;
  if (text.size() <= kChecksumDigits) return std::nullopt;
  const std::string_view body = text.substr(0, text.size() - kChecksumDigits);
  std::uint64_t sum = 0;
  if (!parse(text.substr(body.size()), sum, 16) || sum != checksum(body)) return std::nullopt;
  auto entry = decode_unchecked(body);
  return entry && entry->product.id == expected ? entry : std::nullopt;
}

Result<std::optional<Entry>> ProductCache::get_entry(ProductId id) {
  auto text = redis_.get(key_of(id), call_);
  if (!text) return text.error();
  if (!*text) return std::nullopt;
  auto entry = decode(**text, id);
  if (!entry) (void)remove(id);
  return entry;
}

Result<std::optional<Product>> ProductCache::get(ProductId id) {
  auto entry = get_entry(id);
  if (!entry) return entry.error();
  return *entry ? std::optional((*entry)->product) : std::nullopt;
}

Result<void> ProductCache::put(const Product& product,
                               std::optional<std::chrono::milliseconds> ttl) {
  auto stored = redis_.set(key_of(product.id), encode({product}), {.ttl = ttl}, call_);
  if (!stored) return stored.error();
  return {};
}

Result<void> ProductCache::put(const Product& product, std::chrono::milliseconds fresh_for,
                               std::chrono::milliseconds stale_for) {
  const Entry entry{product, wall_clock_ms() + fresh_for.count()};
  auto stored =
      redis_.set(key_of(product.id), encode(entry), {.ttl = fresh_for + stale_for}, call_);
  if (!stored) return stored.error();
  return {};
}

Result<void> ProductCache::remove(ProductId id) {
  auto removed = redis_.del({key_of(id)}, call_);
  if (!removed) return removed.error();
  return {};
}

}  // namespace cache_aside
