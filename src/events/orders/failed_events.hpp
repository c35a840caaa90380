// The tables `failed_events` and `discarded_events`, inside a transaction of the caller's.
#pragma once

#include "events/orders/order_dialect.hpp"
#include "events/orders/order_rows.hpp"

#include <set>
#include <string>
#include <vector>

namespace firstcome::events {

/// When an event that has failed so often is tried again: 1 s, doubled each time, at most 10 min.
Milliseconds pause_after(std::uint32_t attempts);

/// Valid UTF-8 without a zero byte is kept as it is, all else in hexadecimal.
struct StoredBody {
  std::string_view form;  ///< `text` or `hex`
  std::string text;
};
StoredBody body_for_storing(std::string_view body);
/// What an error says, so that every database can hold it: printable, at most 1 000 bytes.
std::string error_for_storing(std::string_view error);
/// Ids are short and ASCII; one that is not, which was not made here, is made so, and still differs from others.
std::string id_for_storing(std::string_view id, std::size_t most);

/// Throws SqlFailure. Not thread-safe.
class FailedEvents {
 public:
  /// `rows`: in one statement, where there are many.
  explicit FailedEvents(SqlSession& session, std::size_t rows = order_batch_rows) : session_(session), rows_(rows) {}

  /// Those of the units' reservations that have failed events.
  std::set<std::string, std::less<>> blocked(std::span<const OrderUnit> units);
  /// Unless it is there, or was discarded. Returns whether it was discarded.
  enum class Kept : std::uint8_t { now, discarded };
  Kept add(const FailedEvent& event);

  /// At most `limit` that are due, and all others of their reservations, by reservation and sequence. They are locked
  /// until the transaction ends; those that somebody else tries just now are left out.
  std::vector<FailedEvent> due(Instant now, std::size_t limit);
  void remove(const std::vector<const FailedEvent*>& events);
  /// One more attempt failed: it and all of its reservation are due later.
  void fail_again(const FailedEvent& event, const std::string& error, Instant now);

  std::uint64_t count();
  std::uint64_t due_count(Instant now);
  /// As OrderStore::erase says, in failed and in discarded events. Returns in how many.
  std::size_t erase(const std::string& customer, const std::string& pseudonym);
  std::vector<FailedEvent> page(const std::string& after, std::size_t limit);
  std::uint64_t retry_now(const std::optional<std::string>& id, Instant now);
  std::uint64_t discard(const std::string& id, const Discard& why, Instant now);

 private:
  std::vector<FailedEvent> select(const std::string& where);
  std::size_t erase_in(std::string_view table, const std::string& customer, const std::string& pseudonym);
  std::string literal(std::string_view text) const;
  /// `event_id = … AND reservation = …`
  std::string named(const FailedEvent& event) const;
  /// Of the rows that are one line of waiting: those of a reservation, or one that has none.
  std::string line_of(const FailedEvent& event) const;

  SqlSession& session_;
  const std::size_t rows_;
};

}  // namespace firstcome::events
