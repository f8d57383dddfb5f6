#include "checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <unordered_map>

namespace order_transactions {
namespace {

using lab::harness::CheckResult;
using lab::harness::Operation;
using lab::harness::Outcome;

std::map<std::int64_t, std::int64_t> sold_by_product(const Evidence& evidence) {
  std::map<std::int64_t, std::int64_t> sold;
  for (const auto& order : evidence.orders) sold[order.product] += order.quantity;
  return sold;
}

std::string at(Nanos time) {
  return fmt::format("{:.2f} ms", lab::milliseconds(time));
}

/// The calls that made the orders, by order id. A repeated key may be answered with an order of an earlier call; the first
/// call that mentions an id is the one that made it.
std::unordered_map<std::int64_t, Operation> makers(const Evidence& evidence) {
  std::unordered_map<std::int64_t, Operation> by_order;
  evidence.history.for_each([&](const Operation& op) {
    if (op.value == 0) return;
    const auto [known, added] = by_order.try_emplace(op.value, op);
    if (!added && op.invoked < known->second.invoked) known->second = op;
  });
  return by_order;
}

/// Every operation of a request, in order.
std::unordered_map<std::int64_t, std::vector<Operation>> by_request(const Evidence& evidence) {
  std::unordered_map<std::int64_t, std::vector<Operation>> requests;
  for (const auto& op : evidence.history.sorted()) requests[op.key].push_back(op);
  return requests;
}

std::unordered_map<std::int64_t, std::vector<StoredOrder>> orders_by_request(
    const Evidence& evidence) {
  std::unordered_map<std::int64_t, std::vector<StoredOrder>> found;
  for (const auto& order : evidence.orders) found[request_of(order.id)].push_back(order);
  return found;
}

/// Counts what is wrong and keeps the first witness.
class Findings {
 public:
  void add(const std::function<std::string()>& witness) {
    if (count_++ == 0) witness_ = witness();
  }
  CheckResult result(std::uint64_t examined, std::string_view what,
                     std::string_view nothing) const {
    if (count_ > 0) {
      const char* const joint = witness_.ends_with('\n') ? "" : "; ";
      return CheckResult::violated(
          fmt::format("{}{}{} of {} {}", witness_, joint, count_, examined, what), examined);
    }
    if (examined == 0) return CheckResult::inconclusive(std::string(nothing));
    return CheckResult::holds(examined);
  }

 private:
  std::uint64_t count_ = 0;
  std::string witness_;
};

/// Initial stock = stock + sold, for every product.
std::optional<CheckResult> conservation(const Evidence& evidence) {
  const auto sold = sold_by_product(evidence);
  Findings wrong;
  for (const auto& [product, initial] : evidence.initial) {
    const auto of_product = sold.find(product), rest = evidence.left.find(product);
    const std::int64_t gone = of_product == sold.end() ? 0 : of_product->second;
    const std::int64_t left = rest == evidence.left.end() ? 0 : rest->second;
    if (initial == left + gone) continue;
    wrong.add([&, id = product, had = initial] {
      return fmt::format("product {} had {}; {} are left and {} were sold: {} {}", id, had, left,
                         gone, std::abs(left + gone - had),
                         left + gone > had ? "too many" : "are missing");
    });
  }
  return wrong.result(evidence.initial.size(), "products", "there were no products");
}

/// Two calls beside each other, as their clients saw them. The blanks of the columns must not be broken.
std::string side_by_side(const Operation& first, const Operation& second) {
  struct Moment {
    Nanos when;
    bool left;
    std::string text;
  };
  const auto asks = [](const Operation& op) {
    return fmt::format("{} wants {}", at(op.invoked), Wish::unpacked(op.aux).quantity);
  };
  const auto gets = [](const Operation& op) {
    return op.outcome == Outcome::ok ? fmt::format("{} has order {}", at(op.returned), op.value)
                                     : fmt::format("{} gets no answer", at(op.returned));
  };
  std::vector<Moment> moments{{first.invoked, true, asks(first)},
                              {first.returned, true, gets(first)},
                              {second.invoked, false, asks(second)},
                              {second.returned, false, gets(second)}};
  std::stable_sort(moments.begin(), moments.end(),
                   [](const Moment& a, const Moment& b) { return a.when < b.when; });
  const auto line = [](const std::string& left, const std::string& right) {
    std::string text = "\n";
    for (const char c : fmt::format("{:<36}| {}", left, right)) {
      if (c == ' ')
        text += "\u00a0";
      else
        text += c;
    }
    return text;
  };
  std::string text =
      line(fmt::format("client {}", first.client), fmt::format("client {}", second.client));
  for (const auto& [when, left, what] : moments) text += line(left ? what : "", left ? "" : what);
  return text;
}

/// Who bought the last item, and who bought it again: the first buyer beyond the stock and another one whose call
/// overlapped with its own, or else the last two before it whose calls did.
std::optional<std::pair<Operation, Operation>> bought_the_same(std::vector<Operation> buyers,
                                                               std::int64_t initial) {
  std::sort(buyers.begin(), buyers.end(),
            [](const auto& a, const auto& b) { return a.returned < b.returned; });
  std::size_t beyond = 0;
  for (std::int64_t sold = 0; beyond < buyers.size(); ++beyond) {
    sold += Wish::unpacked(buyers[beyond].aux).quantity;
    if (sold > initial) break;
  }
  for (std::size_t second = std::min(beyond + 1, buyers.size()); second-- > 1;) {
    for (std::size_t first = second; first-- > 0;) {
      if (buyers[first].returned > buyers[second].invoked)
        return std::pair{buyers[first], buyers[second]};
    }
  }
  return std::nullopt;
}

std::string oversell_witness(const Evidence& evidence, std::int64_t product, std::int64_t initial,
                             std::int64_t sold) {
  const auto made_by = makers(evidence);
  std::vector<Operation> buyers;
  for (const auto& order : evidence.orders) {
    const auto maker = made_by.find(order.id.value);
    if (order.product == product && maker != made_by.end()) buyers.push_back(maker->second);
  }
  const std::string text =
      fmt::format("product {} had {}, and {} were sold", product, initial, sold);
  const auto two = bought_the_same(std::move(buyers), initial);
  if (!two) return text;
  return text + ". These two bought the same one:" + side_by_side(two->first, two->second) + "\n";
}

/// No more is sold than there was.
std::optional<CheckResult> no_oversell(const Evidence& evidence) {
  Findings wrong;
  for (const auto& [product, sold] : sold_by_product(evidence)) {
    const auto initial = evidence.initial.find(product);
    if (initial == evidence.initial.end() || sold <= initial->second) continue;
    wrong.add([&, id = product, count = sold] {
      return oversell_witness(evidence, id, initial->second, count);
    });
  }
  return wrong.result(evidence.initial.size(), "products", "there were no products");
}

/// In no consistent read is a stock below zero.
std::optional<CheckResult> stock_not_negative(const Evidence& evidence) {
  const Watched& watched = evidence.watched;
  if (watched.below_zero > 0) {
    return CheckResult::violated(
        fmt::format("at {} the stock of product {} was {}; {} of {} snapshots", at(watched.at),
                    watched.product, watched.stock, watched.below_zero, watched.snapshots),
        watched.snapshots);
  }
  if (watched.snapshots < 10)
    return CheckResult::inconclusive(fmt::format("only {} snapshots were taken", watched.snapshots),
                                     watched.snapshots);
  return CheckResult::holds(watched.snapshots);
}

/// "Sold out" is true at some moment of the call. Stocks only fall, so its end is the best moment for it; and all orders
/// that were asked for before it and are there in the end may have been committed by then. If even so enough was left, the
/// answer was false.
std::optional<CheckResult> sold_out_is_true(const Evidence& evidence) {
  struct Taken {
    Nanos invoked;
    std::int64_t quantity;
  };
  const auto made_by = makers(evidence);
  std::unordered_map<std::int64_t, std::vector<Taken>> taken;
  for (const auto& order : evidence.orders) {
    const auto maker = made_by.find(order.id.value);
    taken[order.product].push_back(
        {maker == made_by.end() ? Nanos::min() : maker->second.invoked, order.quantity});
  }
  Findings wrong;
  std::uint64_t examined = 0;
  evidence.history.for_each([&](const Operation& op) {
    const Wish wish = Wish::unpacked(op.aux);
    const auto initial = evidence.initial.find(wish.product);
    if (op.outcome != Outcome::ok || op.value != 0 || initial == evidence.initial.end()) return;
    ++examined;
    std::int64_t left = initial->second;
    for (const auto& [invoked, quantity] : taken[wish.product])
      left -= invoked < op.returned ? quantity : 0;
    if (left < wish.quantity) return;
    wrong.add([&] {
      return fmt::format(
          "client {} wanted {} of product {} at {} and was told \"sold out\" at {}, "
          "when at least {} of {} were left",
          op.client, wish.quantity, wish.product, at(op.invoked), at(op.returned), left,
          initial->second);
    });
  });
  return wrong.result(examined, "such answers", "nobody was told that anything was sold out");
}

/// What was acknowledged is there, as it was asked for. What was rejected, and never left open, is not.
std::optional<CheckResult> acknowledged(const Evidence& evidence) {
  std::unordered_map<std::int64_t, StoredOrder> stored;
  for (const auto& order : evidence.orders) stored[order.id.value] = order;
  const auto orders = orders_by_request(evidence);
  Findings wrong;
  std::uint64_t examined = 0;
  for (const auto& [request, operations] : by_request(evidence)) {
    bool rejected = true;
    for (const auto& op : operations) {
      const bool ordered = op.outcome == Outcome::ok && op.value != 0;
      rejected &= !ordered && op.outcome != Outcome::info;
      if (!ordered) continue;
      ++examined;
      const auto found = stored.find(op.value);
      const Wish wish = Wish::unpacked(op.aux);
      if (found != stored.end() && request_of(found->second.id) == request &&
          found->second.product == wish.product && found->second.quantity == wish.quantity)
        continue;
      wrong.add([&] {
        return fmt::format(
            "client {} was told at {} that it has order {} ({} of product {}); the "
            "database has {}",
            op.client, at(op.returned), op.value, wish.quantity, wish.product,
            found == stored.end() ? "no such order" : "another one");
      });
    }
    if (!rejected) continue;
    ++examined;
    const auto made = orders.find(request);
    if (made == orders.end()) continue;
    wrong.add([&, &ops = operations] {
      return fmt::format("client {} was told at {} that its order had failed; order {} is there",
                         ops.back().client, at(ops.back().returned), made->second[0].id.value);
    });
  }
  return wrong.result(examined, "definite answers", "nothing was answered");
}

/// A request makes at most one order however often it is repeated, and its answers agree with it.
std::optional<CheckResult> once(const Evidence& evidence) {
  const auto orders = orders_by_request(evidence);
  Findings wrong;
  std::uint64_t examined = 0, open = 0;
  for (const auto& [request, operations] : by_request(evidence)) {
    const bool repeated = operations.size() > 1;
    if (!repeated && operations[0].outcome != Outcome::info) continue;
    ++examined;
    const Operation& last = operations.back();
    const auto made = orders.find(request);
    const std::size_t count = made == orders.end() ? 0 : made->second.size();
    if (count > 1) {
      wrong.add([&, number = request, &first = operations.front()] {
        return fmt::format(
            "client {} asked for request {} at {}, got no answer and asked again: "
            "orders {} and {}, both paid",
            first.client, number, at(first.invoked), made->second[0].id.value,
            made->second[1].id.value);
      });
    } else if (count == 1 && last.outcome == Outcome::ok && last.value == 0) {
      wrong.add([&, number = request] {
        return fmt::format(
            "client {} repeated request {} and was told \"sold out\" at {}; its "
            "first call had made order {}",
            last.client, number, at(last.returned), made->second[0].id.value);
      });
    } else if (last.outcome != Outcome::ok) {
      ++open;
    }
  }
  if (examined == 0) return std::nullopt;  // no request had to be repeated
  auto result = wrong.result(examined, "repeated requests", "");
  if (result.verdict == lab::harness::Verdict::holds && open > 0)
    return CheckResult::inconclusive(
        fmt::format("{} of {} requests never got an answer", open, examined), examined);
  return result;
}

/// Order, line, payment, outbox row and key: all of them or none.
std::optional<CheckResult> all_or_nothing(const Evidence& evidence) {
  if (!evidence.orphans.empty()) {
    const Orphan& first = evidence.orphans.front();
    return CheckResult::violated(
        fmt::format("{} {}; {} such rows", first.what, first.id, evidence.orphans.size()),
        evidence.orders.size());
  }
  if (evidence.orders.empty()) return CheckResult::inconclusive("there were no orders");
  return CheckResult::holds(evidence.orders.size());
}

/// No call answers "ordered" whose last transaction the database broke off.
std::optional<CheckResult> no_false_success(const Evidence& evidence) {
  Findings wrong;
  std::uint64_t examined = 0;
  evidence.history.for_each([&](const Operation& op) {
    const Wish wish = Wish::unpacked(op.aux);
    if (op.outcome != Outcome::ok || op.value == 0) return;
    ++examined;
    if (!wish.ended_in_conflict) return;
    wrong.add([&] {
      return fmt::format(
          "client {} was told at {} that it has order {}, and the database had "
          "broken its transaction off",
          op.client, at(op.returned), op.value);
    });
  });
  return wrong.result(examined, "orders", "nothing was ordered");
}

}  // namespace

std::vector<lab::harness::Check<Evidence>> checks() {
  return {
      {"conservation", "for every product, initial stock = stock + sold", conservation},
      {"no-oversell", "no more is sold than there was", no_oversell},
      {"stock-not-negative", "in no consistent read is a stock below zero", stock_not_negative},
      {"sold-out-is-true", "\"sold out\" is true at some moment of the call", sold_out_is_true},
      {"acknowledged",
       "what was acknowledged is there as it was asked for, what was rejected is not",
       acknowledged},
      {"once", "a request makes one order however often it is repeated, and its answers agree",
       once},
      {"all-or-nothing", "order, line, payment, outbox row and key: all of them or none",
       all_or_nothing},
      {"no-false-success", "no transaction that the database broke off is told as a success",
       no_false_success},
  };
}

std::int64_t oversold(const Evidence& evidence) {
  std::int64_t count = 0;
  for (const auto& [product, sold] : sold_by_product(evidence)) {
    const auto initial = evidence.initial.find(product);
    if (initial != evidence.initial.end())
      count += std::max<std::int64_t>(0, sold - initial->second);
  }
  return count;
}

std::int64_t undersold(const Evidence& evidence) {
  const auto sold = sold_by_product(evidence);
  std::int64_t count = 0;
  for (const auto& [product, initial] : evidence.initial) {
    const auto gone = sold.find(product), rest = evidence.left.find(product);
    count += std::max<std::int64_t>(0, initial - (gone == sold.end() ? 0 : gone->second) -
                                           (rest == evidence.left.end() ? 0 : rest->second));
  }
  return count;
}

std::int64_t duplicates(const Evidence& evidence) {
  std::int64_t count = 0;
  for (const auto& [request, orders] : orders_by_request(evidence))
    count += static_cast<std::int64_t>(orders.size()) - 1;
  return count;
}

}  // namespace order_transactions
