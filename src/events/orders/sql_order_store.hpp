// OrderStore on SOCI: one session, made anew when it was lost.
#pragma once

#include "events/orders/failed_events.hpp"
#include "events/orders/order_writer.hpp"
#include "events/orders/statement_rows.hpp"

#include <memory>
#include <type_traits>
#include <utility>

namespace firstcome::events {

/// How its sessions are made.
engine::SqlSessionOptions session_options(const OrderStoreOptions& options);

class SqlOrderStore final : public OrderStore {
 public:
  explicit SqlOrderStore(OrderStoreOptions options) : options_(std::move(options)) {}
  /// Throws SqlFailure.
  void connect();
  /// A failure as its caller is told of it.
  Trouble trouble_of(const SqlFailure& failure) const;

  Result<Stored> store(std::span<const Event> events) override;
  Result<void> park(const NoEvent& what) override;
  Result<Retried> retry_due(Instant now, std::size_t limit) override;
  Result<std::uint64_t> failed_count() override;
  Result<std::uint64_t> due_count(Instant now) override;
  Result<Erased> erase(const std::string& customer, const std::string& pseudonym) override;
  Result<FailedPage> failed(const std::string& after, std::size_t limit) override;
  Result<std::uint64_t> retry_now(const std::optional<std::string>& id) override;
  Result<std::uint64_t> discard(const std::string& id, const Discard& why) override;
  Result<std::optional<Order>> order(const std::string& reservation) override;
  Result<std::vector<Order>> orders_with(std::span<const std::string> reservations) override;
  Result<OrderPage> orders_of(const std::string& customer, const std::string& after, std::size_t limit) override;
  Result<void> export_orders(const std::string& sale, const std::function<bool(const Order&)>& each) override;
  Result<void> summaries(const std::optional<std::string>& sale,
                         const std::function<bool(const OrderSummary&)>& each) override;
  Result<std::vector<Told>> told() override;
  Result<void> settle(std::span<const std::string> reservations, const Discard& why) override;
  Result<std::vector<std::string>> settled() override;
  Result<std::uint64_t> count(const std::string& sale, const std::string& prefix) override;

 private:
  /// Calls `work` with a session, again where that may help: on a new connection when an old one was found dead, and
  /// after a lock, a deadlock or a serialization failure. REQUIRES: `work` may be called again after it has thrown.
  template <typename Work>
  auto with_session(Work work) -> Result<decltype(work(std::declval<SqlSession&>()))>;

  /// The same for `rows` rows that are written in as many statements as `rows_` says, which learns from it.
  template <typename Work>
  auto write_rows(std::size_t rows, Work work) {
    auto written = with_session(std::move(work));
    if (written) {
      rows_.stored(rows);
    } else {
      note_failure(written.error(), rows);
    }
    return written;
  }

  void note_failure(const Trouble& trouble, std::size_t rows) {
    if (trouble.kind == Trouble::Kind::timeout) rows_.took_too_long(rows);
  }

  /// What becomes of a batch with something in it that the database refuses.
  enum class Refusals : std::uint8_t { fail, park };
  Stored store_all(SqlSession& session, std::span<const Event> events, Refusals refusals);
  Stored park_all(SqlSession& session, const std::vector<OrderUnit>& behind, const std::vector<Blamed>& blamed);
  Retried retry(SqlSession& session, Instant now, std::size_t limit);
  std::vector<Order> select(SqlSession& session, const std::string& where) const;
  std::string literal(std::string_view text) const;

  const OrderStoreOptions options_;
  StatementRows rows_{order_batch_rows};
  std::unique_ptr<SqlSession> session_;  ///< nullptr: not connected
};

template <typename Work>
auto SqlOrderStore::with_session(Work work) -> Result<decltype(work(std::declval<SqlSession&>()))> {
  for (int attempt = 1;; ++attempt) {
    const bool fresh = session_ == nullptr;
    try {
      if (fresh) connect();
      if constexpr (std::is_void_v<decltype(work(*session_))>) {
        work(*session_);
        return {};
      } else {
        return work(*session_);
      }
    } catch (const SqlFailure& failure) {
      const bool lost = failure.kind != Trouble::Kind::busy && failure.fault == SqlFailure::Fault::database;
      // A session is cheap to make; one that saw trouble may be half dead.
      if (lost) session_.reset();
      const bool again =
          (lost && failure.kind == Trouble::Kind::connection && !fresh) || failure.kind == Trouble::Kind::busy;
      if (again && attempt < 3 && !options_.stop.stop_requested()) continue;
      return std::unexpected(trouble_of(failure));
    }
  }
}

}  // namespace firstcome::events
