#pragma once
// A prepared statement over one of Poco::Data's engines, kept and run again with other values. Not
// for use outside the room.
//
// Poco::Data::Statement can be executed again too, but then it compiles again (SQLite) or reads its
// description again (MariaDB), and it binds references to variables of fixed types. These are the
// same Poco classes one level lower: StatementImpl's own steps (compile once; bind, step, extract
// each time) in the same order.

#include <Poco/Data/AbstractBinder.h>
#include <Poco/Data/AbstractBinding.h>
#include <Poco/Data/AbstractExtractor.h>
#include <Poco/Data/MetaColumn.h>
#include <Poco/Data/StatementImpl.h>
#include <Poco/Exception.h>

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "infra/sql.h"
#include "infra/sql_statements.h"

namespace lab::infra {

/// All values of one statement; Poco asks a binding to bind itself whenever the statement runs.
class BoundValues : public Poco::Data::AbstractBinding {
 public:
  explicit BoundValues(std::size_t count) : count_(count) {}
  void set(std::span<const SqlValue> values) { values_ = values; }

  std::size_t numOfColumnsHandled() const override { return count_; }
  std::size_t numOfRowsHandled() const override { return 1; }
  bool canBind() const override { return true; }
  void reset() override {}
  void bind(std::size_t position) override {
    Poco::Data::AbstractBinder& binder = *getBinder();
    for (const SqlValue& value : values_) bind_one(binder, position++, value);
  }

 private:
  static void bind_one(Poco::Data::AbstractBinder& binder, std::size_t position,
                       const SqlValue& value) {
    using Poco::Data::AbstractBinder;
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      binder.bind(position, static_cast<const Poco::Int64&>(*integer), AbstractBinder::PD_IN);
    } else if (const auto* real = std::get_if<double>(&value)) {
      binder.bind(position, *real, AbstractBinder::PD_IN);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      binder.bind(position, *text, AbstractBinder::PD_IN);
    } else {
      binder.bind(position, Poco::Data::Keywords::null, AbstractBinder::PD_IN);
    }
  }

  const std::size_t count_;
  std::span<const SqlValue> values_;
};

/// `Base` is Poco's StatementImpl of the engine.
template <class Base>
class PreparedStatement : public Base {
 public:
  template <class... Args>
  PreparedStatement(const std::string& text, std::size_t values, Args&&... args)
      : Base(std::forward<Args>(args)...), values_(new BoundValues(values)), value_count_(values) {
    this->add(text);
    if (values > 0) this->addBind(values_);
    this->compileImpl();
    this->fixupBinding();
  }

  std::size_t value_count() const { return value_count_; }
  std::size_t columns() const { return this->columnsReturned(); }
  const Poco::Data::MetaColumn& column(std::size_t position) const {
    return this->metaColumn(position);
  }

  bool is_null(std::size_t position) { return this->extractor()->isNull(position); }
  template <class T>
  SqlValue read_as(std::size_t position) {
    T value{};
    if (!this->extractor()->extract(position, value)) return std::monostate{};
    return value;
  }

  /// Calls read_column(position) while a row lies in the extractor. Throws Poco's exceptions.
  template <class ReadColumn>
  std::vector<SqlRow> run(std::span<const SqlValue> values, const ReadColumn& read_column) {
    std::vector<SqlRow> rows;
    values_.template cast<BoundValues>()->set(values);
    this->bindImpl();
    while (this->hasNext()) {
      SqlRow& row = rows.emplace_back();
      row.reserve(columns());
      for (std::size_t i = 0; i < columns(); ++i) row.push_back(read_column(i));
      this->next();
    }
    return rows;
  }

  std::size_t affected() const { return static_cast<std::size_t>(this->affectedRowCount()); }

 private:
  Poco::Data::AbstractBinding::Ptr values_;
  const std::size_t value_count_;
};

inline bool is_integer(Poco::Data::MetaColumn::ColumnDataType type) {
  using Poco::Data::MetaColumn;
  switch (type) {
    case MetaColumn::FDT_BOOL:
    case MetaColumn::FDT_INT8:
    case MetaColumn::FDT_UINT8:
    case MetaColumn::FDT_INT16:
    case MetaColumn::FDT_UINT16:
    case MetaColumn::FDT_INT32:
    case MetaColumn::FDT_UINT32:
    case MetaColumn::FDT_INT64:
    case MetaColumn::FDT_UINT64: return true;
    default: return false;
  }
}

/// Finds or prepares the statement, runs it and reads its rows. `Engine` has make(text, values),
/// read(statement, position), affected(statement) and error(exception); Poco's exceptions end here.
template <class Statement, class Engine>
Result<SqlResult> run_prepared(StatementMap<std::unique_ptr<Statement>>& statements,
                               std::string_view text, std::span<const SqlValue> values,
                               Engine& engine) {
  auto found = statements.find(text);
  try {
    if (found == statements.end()) {
      auto made = engine.make(text, values.size());
      found = statements.emplace(std::string(text), std::move(made)).first;
    }
    Statement& statement = *found->second;
    if (statement.value_count() != values.size()) {
      return Error{ErrorCode::invalid, Happened::no,
                   "another number of values than when the statement was prepared"};
    }
    SqlResult result;
    result.rows = statement.run(
        values, [&](std::size_t position) { return engine.read(statement, position); });
    if (statement.columns() == 0) result.affected = engine.affected(statement);
    return result;
  } catch (const Poco::Exception& exception) {
    const Error error = engine.error(exception);
    // Never right, or not any more since its table changed: the next run prepares it anew.
    if (error.code == ErrorCode::invalid && found != statements.end()) statements.erase(found);
    return error;
  }
}

/// A value of a connection string of Poco's, which has no way to quote the separator.
inline Result<void> check_connection_value(std::string_view what, std::string_view value,
                                           char separator) {
  if (value.find(separator) == std::string_view::npos && value.find('\0') == std::string_view::npos)
    return {};
  return Error{ErrorCode::invalid, Happened::no,
               "the " + std::string(what) + " must not contain '" + separator + "' or a zero byte"};
}

}  // namespace lab::infra
