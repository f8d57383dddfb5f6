#include "workload.h"

namespace isolation_matrix {
namespace {

Script dirty_write() {
  return {"G0",
          "of two transactions that write the same rows, all of one is on top",
          {{T1, "UPDATE accounts SET balance = 11 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 12 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 22 WHERE id = 2"},
           {T2, "COMMIT"},
           {T1, "UPDATE accounts SET balance = 21 WHERE id = 2"},
           {T1, "COMMIT"}},
          [](const Played& played) {
            return played.committed(T1) && played.committed(T2) && played.in_the_end(1) == 12 &&
                   played.in_the_end(2) == 21;
          }};
}

Script aborted_read() {
  return {"G1a",
          "nobody sees what is taken back",
          {{T1, "UPDATE accounts SET balance = 101 WHERE id = 1"},
           {T2, "SELECT balance FROM accounts WHERE id = 1", "dirty"},
           {T1, "ROLLBACK"},
           {T2, "SELECT balance FROM accounts WHERE id = 1"},
           {T2, "COMMIT"}},
          [](const Played& played) { return played.saw("dirty") == 101; }};
}

Script intermediate_read() {
  return {"G1b",
          "nobody sees a state between two writes of a transaction",
          {{T1, "UPDATE accounts SET balance = 101 WHERE id = 1"},
           {T2, "SELECT balance FROM accounts WHERE id = 1", "between"},
           {T1, "UPDATE accounts SET balance = 11 WHERE id = 1"},
           {T1, "COMMIT"},
           {T2, "SELECT balance FROM accounts WHERE id = 1"},
           {T2, "COMMIT"}},
          [](const Played& played) { return played.saw("between") == 101; }};
}

Script circular_information_flow() {
  return {"G1c",
          "no two transactions see each other's writes",
          {{T1, "UPDATE accounts SET balance = 11 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 22 WHERE id = 2"},
           {T1, "SELECT balance FROM accounts WHERE id = 2", "T2's"},
           {T2, "SELECT balance FROM accounts WHERE id = 1", "T1's"},
           {T1, "COMMIT"},
           {T2, "COMMIT"}},
          [](const Played& played) {
            return played.saw("T2's") == 22 && played.saw("T1's") == 11 && played.committed(T1) &&
                   played.committed(T2);
          }};
}

Script predicate_many_preceders() {
  return {"PMP",
          "a search does not find what was not there when the transaction searched before",
          {{T1, "SELECT id FROM accounts WHERE balance = 30", "before"},
           {T2, "INSERT INTO accounts (id, balance) VALUES (3, 30)"},
           {T2, "COMMIT"},
           {T1, "SELECT id FROM accounts WHERE balance % 3 = 0", "phantom"},
           {T1, "COMMIT"}},
          [](const Played& played) {
            return played.rows("before") == 0U && played.saw("phantom") == 3;
          }};
}

Script lost_update() {
  return {"P4",
          "of two transactions that read a row and write it, the second knows of the first",
          {{T1, "SELECT balance FROM accounts WHERE id = 1", "T1 read"},
           {T2, "SELECT balance FROM accounts WHERE id = 1", "T2 read"},
           {T1, "UPDATE accounts SET balance = 11 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 12 WHERE id = 1"},
           {T1, "COMMIT"},
           {T2, "COMMIT"}},
          [](const Played& played) {
            return played.saw("T1 read") == 10 && played.saw("T2 read") == 10 &&
                   played.committed(T1) && played.committed(T2);
          }};
}

Script read_skew() {
  return {
      "G-single",
      "what a transaction reads belongs to one moment",
      {{T1, "SELECT balance FROM accounts WHERE id = 1", "row 1"},
       {T2, "UPDATE accounts SET balance = 12 WHERE id = 1"},
       {T2, "UPDATE accounts SET balance = 18 WHERE id = 2"},
       {T2, "COMMIT"},
       {T1, "SELECT balance FROM accounts WHERE id = 2", "row 2"},
       {T1, "COMMIT"}},
      [](const Played& played) { return played.saw("row 1") == 10 && played.saw("row 2") == 18; }};
}

Script write_predicate_skew() {
  return {"G-single-write",
          "what a transaction's DELETE finds belongs to the moment of its reads",
          {{T1, "SELECT balance FROM accounts WHERE id = 1", "row 1"},
           {T2, "UPDATE accounts SET balance = 12 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 18 WHERE id = 2"},
           {T2, "COMMIT"},
           {T1, "DELETE FROM accounts WHERE balance = 20", "deleted"},
           {T1, "COMMIT"}},
          // It read the old row 1, and looked for the old row 2 among the new ones.
          [](const Played& played) {
            return played.saw("row 1") == 10 && played.affected("deleted") == 0 &&
                   played.committed(T1) && played.committed(T2);
          }};
}

Script write_skew() {
  return {"G2-item",
          "two transactions that read the same rows do not each change another of them",
          {{T1, "SELECT SUM(balance) FROM accounts WHERE id IN (1, 2)", "T1 read"},
           {T2, "SELECT SUM(balance) FROM accounts WHERE id IN (1, 2)", "T2 read"},
           {T1, "UPDATE accounts SET balance = 11 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 21 WHERE id = 2"},
           {T1, "COMMIT"},
           {T2, "COMMIT"}},
          [](const Played& played) {
            return played.saw("T1 read") == 30 && played.saw("T2 read") == 30 &&
                   played.committed(T1) && played.committed(T2);
          }};
}

Script predicate_write_skew() {
  return {"G2-predicate",
          "two transactions that both find nothing do not both insert what they looked for",
          {{T1, "SELECT id FROM accounts WHERE balance % 3 = 0", "T1 found"},
           {T2, "SELECT id FROM accounts WHERE balance % 3 = 0", "T2 found"},
           {T1, "INSERT INTO accounts (id, balance) VALUES (3, 30)"},
           {T2, "INSERT INTO accounts (id, balance) VALUES (4, 42)"},
           {T1, "COMMIT"},
           {T2, "COMMIT"}},
          [](const Played& played) {
            return played.rows("T1 found") == 0U && played.rows("T2 found") == 0U &&
                   played.committed(T1) && played.committed(T2);
          }};
}

Script inconsistent_with_own_write() {
  return {
      "internal",
      "who reads 10 and adds 1 then reads 11",
      {{T1, "SELECT balance FROM accounts WHERE id = 1", "before"},
       {T2, "UPDATE accounts SET balance = balance + 5 WHERE id = 1"},
       {T2, "COMMIT"},
       {T1, "UPDATE accounts SET balance = balance + 1 WHERE id = 1"},
       {T1, "SELECT balance FROM accounts WHERE id = 1", "after"},
       {T1, "COMMIT"}},
      [](const Played& played) { return played.saw("before") == 10 && played.saw("after") == 16; }};
}

Script broken_atomic_view() {
  return {"MAV",
          "who sees one write of a transaction sees all of them from then on",
          {{T1, "SELECT balance FROM accounts WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 12 WHERE id = 1"},
           {T2, "UPDATE accounts SET balance = 18 WHERE id = 2"},
           {T2, "COMMIT"},
           {T1, "UPDATE accounts SET balance = balance + 100 WHERE id = 1"},
           {T1, "SELECT balance FROM accounts WHERE id = 1", "with T2's"},
           {T1, "SELECT balance FROM accounts WHERE id = 2", "without T2's"},
           {T1, "COMMIT"}},
          [](const Played& played) {
            return played.saw("with T2's") == 112 && played.saw("without T2's") == 20;
          }};
}

}  // namespace

const std::vector<std::string>& reset_accounts() {
  static const std::vector<std::string> statements{
      "DELETE FROM accounts", "INSERT INTO accounts (id, balance) VALUES (1, 10), (2, 20)"};
  return statements;
}

const std::vector<Script>& scripts() {
  static const std::vector<Script> all{dirty_write(),
                                       aborted_read(),
                                       intermediate_read(),
                                       circular_information_flow(),
                                       predicate_many_preceders(),
                                       lost_update(),
                                       read_skew(),
                                       write_predicate_skew(),
                                       write_skew(),
                                       predicate_write_skew(),
                                       inconsistent_with_own_write(),
                                       broken_atomic_view()};
  return all;
}

}  // namespace isolation_matrix
