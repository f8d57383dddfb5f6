#include "simulator.h"

#include <map>

#include "core/random.h"

namespace lab::judge {
namespace {

/// The list store and its clients.
class ListRun {
 public:
  explicit ListRun(const ListPlan& plan) : plan_(plan), random_(plan.seed) {
    for (int process = 0; process < plan.processes; ++process)
      clients_.push_back({.process = process});
    fresh_process_ = plan.processes;
  }

  std::vector<Transaction> go() {
    int begun = 0;
    for (;;) {
      std::vector<Client*> ready;
      for (auto& client : clients_) {
        if (client.busy || begun < plan_.transactions) ready.push_back(&client);
      }
      if (ready.empty()) break;
      Client& client = *ready[random_.below(ready.size())];
      if (!client.busy) ++begun;
      step(client);
    }
    if (plan_.read_all) read_all();
    return std::move(history_);
  }

 private:
  using Lists = std::map<std::string, List>;
  struct Client {
    std::int64_t process = 0;
    bool busy = false;
    Transaction transaction{};
    std::size_t done = 0;  // operations
    Lists snapshot{}, own{};
    bool committed = false, failed = false;
  };

  std::string some_key() {
    return "k" + std::to_string(random_.below(static_cast<std::uint64_t>(plan_.keys)));
  }

  void begin(Client& client) {
    client = {.process = client.process, .busy = true};
    client.transaction.process = client.process;
    client.transaction.invoked = ++time_;
    for (std::uint64_t left = 1 + random_.below(4); left > 0; --left) {
      client.transaction.operations.push_back(random_.chance(0.5)
                                                  ? ListOperation::append(some_key(), ++element_)
                                                  : ListOperation::read(some_key(), std::nullopt));
    }
    if (plan_.store == Store::snapshot) client.snapshot = store_;
  }

  void perform(Client& client) {
    ListOperation& operation = client.transaction.operations[client.done++];
    if (operation.kind == ListOperation::Kind::append) {
      if (!locks(client, operation.key)) return give_up(client);
      client.own[operation.key].push_back(operation.element);
      return;
    }
    Lists& seen = plan_.store == Store::snapshot ? client.snapshot : store_;
    List list = seen[operation.key];
    const List& mine = client.own[operation.key];
    list.insert(list.end(), mine.begin(), mine.end());
    operation.list = std::move(list);
  }

  /// Where reads don't come from a snapshot, whoever appends first keeps the others out.
  bool locks(const Client& client, const std::string& key) {
    if (plan_.store != Store::read_committed) return true;
    return locked_by_.try_emplace(key, client.process).first->second == client.process;
  }

  void unlock(const Client& client) {
    std::erase_if(locked_by_, [&](const auto& lock) { return lock.second == client.process; });
  }

  void give_up(Client& client) {
    client.done = client.transaction.operations.size();
    client.committed = client.failed = true;
    unlock(client);
  }

  void commit(Client& client) {
    client.committed = true;
    unlock(client);
    client.failed = random_.chance(0.1);
    if (plan_.store == Store::snapshot) {
      for (const auto& [key, elements] : client.own)
        client.failed |= !elements.empty() && store_[key] != client.snapshot[key];
    }
    if (client.failed) return;
    for (const auto& [key, elements] : client.own)
      store_[key].insert(store_[key].end(), elements.begin(), elements.end());
  }

  void step(Client& client) {
    if (!client.busy) return begin(client);
    const bool all = client.done == client.transaction.operations.size();
    if (plan_.store == Store::strict && !all) {
      while (client.done < client.transaction.operations.size()) perform(client);
      return commit(client);
    }
    if (!all) return perform(client);
    if (!client.committed) return commit(client);
    finish(client);
  }

  void finish(Client& client) {
    client.busy = false;
    client.transaction.outcome = client.failed ? Outcome::fail : Outcome::ok;
    if (random_.chance(0.1)) {  // the answer got lost, and the process with it
      client.transaction.outcome = Outcome::info;
      for (auto& operation : client.transaction.operations) operation.list.reset();
      client.process = fresh_process_++;
    } else {
      client.transaction.returned = ++time_;
    }
    history_.push_back(client.transaction);
  }

  void read_all() {
    Transaction last;
    last.process = fresh_process_;
    last.invoked = ++time_;
    for (int key = 0; key < plan_.keys; ++key) {
      const std::string name = "k" + std::to_string(key);
      last.operations.push_back(ListOperation::read(name, store_[name]));
    }
    last.returned = ++time_;
    history_.push_back(last);
  }

  ListPlan plan_;
  Random random_;
  std::vector<Client> clients_;
  std::int64_t fresh_process_ = 0;
  Lists store_;
  std::map<std::string, std::int64_t> locked_by_;
  Element element_ = 0;
  std::int64_t time_ = 0;
  std::vector<Transaction> history_;
};

/// The registers and their clients.
class RegisterRun {
 public:
  explicit RegisterRun(const RegisterPlan& plan) : plan_(plan), random_(plan.seed) {
    for (int process = 0; process < plan.processes; ++process)
      clients_.push_back({.process = process});
    fresh_process_ = plan.processes;
  }

  std::vector<KeyOperation> go() {
    for (int left = plan_.operations * 3; left > 0; --left)
      step(clients_[random_.below(clients_.size())]);
    for (auto& client : clients_) {
      while (client.phase != 0) step(client);
    }
    return std::move(history_);
  }

 private:
  using Kind = KeyOperation::Kind;
  struct Client {
    std::int64_t process = 0;
    int phase = 0;  // 0 idle, 1 invoked, 2 done
    KeyOperation operation{};
  };

  void begin(Client& client) {
    KeyOperation& operation = client.operation = {};
    operation.process = client.process;
    operation.invoked = ++time_;
    if (plan_.keys > 1)
      operation.key = "k" + std::to_string(random_.below(static_cast<std::uint64_t>(plan_.keys)));
    const std::uint64_t dice = random_.below(plan_.keys > 1 ? 11 : 10);
    operation.kind = dice < 4    ? Kind::read
                     : dice < 8  ? Kind::write
                     : dice < 10 ? Kind::cas
                                 : Kind::remove;
    if (operation.kind == Kind::write || operation.kind == Kind::cas)
      operation.value = std::to_string(++value_);
    if (operation.kind == Kind::cas)
      operation.expected = random_.chance(0.7) ? store_[operation.key] : std::nullopt;
    client.phase = 1;
  }

  void perform(Client& client) {
    KeyOperation& operation = client.operation;
    auto& value = store_[operation.key];
    client.phase = 2;
    if (has_failed(operation)) return;
    switch (operation.kind) {
      case Kind::read: operation.value = value; break;
      case Kind::write: value = operation.value; break;
      case Kind::remove: value.reset(); break;
      case Kind::cas:
        operation.swapped = value == operation.expected;
        if (operation.swapped) value = operation.value;
        break;
    }
  }

  bool has_failed(KeyOperation& operation) {
    if (random_.chance(0.05)) operation.outcome = Outcome::fail;
    return operation.outcome == Outcome::fail;
  }

  void finish(Client& client) {
    client.phase = 0;
    if (random_.chance(plan_.lost_answers)) {
      client.operation.outcome = Outcome::info;
      client.operation.swapped = true;
      if (client.operation.kind == Kind::read) client.operation.value.reset();
      client.process = fresh_process_++;
    } else {
      client.operation.returned = ++time_;
    }
    history_.push_back(client.operation);
  }

  void step(Client& client) {
    if (client.phase == 0) {
      begin(client);
    } else if (client.phase == 1) {
      perform(client);
    } else {
      finish(client);
    }
  }

  RegisterPlan plan_;
  Random random_;
  std::vector<Client> clients_;
  std::int64_t fresh_process_ = 0;
  std::map<std::string, KeyOperation::Value> store_;
  int value_ = 0;
  std::int64_t time_ = 0;
  std::vector<KeyOperation> history_;
};

}  // namespace

std::vector<Transaction> simulated_lists(const ListPlan& plan) {
  return ListRun(plan).go();
}

std::vector<KeyOperation> simulated_registers(const RegisterPlan& plan) {
  return RegisterRun(plan).go();
}

}  // namespace lab::judge
