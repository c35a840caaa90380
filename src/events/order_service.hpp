// The order service: takes events from where they come, in batches, and brings them into an order store.
//
// Mechanism. One thread reads and understands events while another stores those that were read before: a batch in one
// transaction, batches one after the other in the order in which they were read. A batch is confirmed to its source
// after its transaction, by the reading thread, so that the database does not wait for that. A kill at any point loses
// nothing: what was read and not confirmed comes again, and what comes a second time changes nothing (order_store.hpp).
// What is no event, and what the database refuses for what it contains, is kept among the failed events, which are
// tried again from time to time; everything else goes on meanwhile. While the database itself is in trouble the batch
// is kept and tried again, one more is read, and the source is told that we live.
#pragma once

#include "events/orders/failed_retrier.hpp"
#include "events/orders/order_store.hpp"
#include "events/troubles.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::events {

/// An event as it came.
struct SourceRecord {
  std::string payload;
  std::string place;  ///< `topic/partition@offset`: the same when it comes again
};

struct SourceRecords {
  std::vector<SourceRecord> records;
  std::uint64_t mark = 0;  ///< stands for these and all that was polled before; rises
};

/// Used by one thread, the service's. Functions that fail say why in a sentence; what failed is tried again. They
/// return within half a second after `stop` was asked to stop.
class EventSource {
 public:
  virtual ~EventSource() = default;
  /// At most `limit`, as soon as there are some, none after `timeout`. What was polled before and not confirmed may
  /// come again only after a failure, a restart, or when others have taken it over.
  virtual std::expected<SourceRecords, std::string> poll(std::size_t limit, std::chrono::milliseconds timeout,
                                                         const std::stop_token& stop) = 0;
  /// All that was polled up to a mark is stored: it need not come again. After a stop it is said without waiting for an
  /// answer.
  virtual std::expected<void, std::string> confirm(std::uint64_t mark, const std::stop_token& stop) = 0;
  /// Says that we live while we poll nothing. At most a second.
  virtual void keep_alive() = 0;
  /// Returns how many records wait at the source, as far as it has told; none while it has not. At most 200 ms.
  virtual std::optional<std::uint64_t> lag() = 0;
};

struct OrderServiceOptions {
  std::size_t batch = 5'000;            ///< events in a transaction at most; as many more may have been read
  std::size_t batch_bytes = 8U << 20U;  ///< read and waiting, with one poll more: records may be large
  std::uint32_t max_rate = 0;           ///< events a second; 0: as many as the database takes
  std::chrono::milliseconds poll_timeout{200};
  std::chrono::milliseconds first_pause{100};  ///< after trouble; doubled with each that follows
  std::chrono::milliseconds longest_pause{1'000};
  std::function<Instant()> now = {};  ///< REQUIRES: set
};

struct OrderServiceCounters {
  std::uint64_t events = 0;          ///< stored
  std::uint64_t parked = 0;          ///< put among the failed events
  std::uint64_t troubles = 0;        ///< times that the database or the source could not
  std::uint64_t failed = 0;          ///< events in the list of failed ones
  std::optional<std::uint64_t> lag;  ///< records that wait at the source or were read and not stored; none: not known
};

/// Thread safety: `counters` and `trouble` from any thread.
class OrderService {
 public:
  /// Opens a store that gives up soon after the token was asked to stop.
  using OpenStore = std::function<std::expected<std::unique_ptr<OrderStore>, std::string>(std::stop_token)>;

  OrderService(std::unique_ptr<EventSource> source, OpenStore open, OrderServiceOptions options);

  /// Works until asked to stop. Returns within two seconds after that, whatever the source and the database do.
  void run(const std::stop_token& stop);

  OrderServiceCounters counters() const;
  /// What holds it back, a sentence; empty: nothing.
  std::string trouble() const;

 private:
  struct Batch {
    std::vector<Event> events;
    std::vector<NoEvent> others;
    std::uint64_t mark = 0;  ///< of the last records in it
    std::size_t bytes = 0;   ///< of the records

    std::size_t size() const { return events.size() + others.size(); }
    /// REQUIRES: it is empty.
    void add(SourceRecords read);
    void join(Batch later);
  };
  /// How long to wait after a failure: longer after each that follows.
  class Pause {
   public:
    explicit Pause(const OrderServiceOptions& options) : options_(options) {}
    void after_failure(const std::stop_token& stop);
    void reset() { next_ = {}; }

   private:
    const OrderServiceOptions& options_;
    std::chrono::milliseconds next_{0};
  };

  // The reading thread's.
  void read_on(const std::stop_token& stop);
  std::size_t await_room(const std::stop_token& stop);
  void confirm(const std::stop_token& stop);
  void see_lag();

  // The storing thread's.
  void store_on(const std::stop_token& stop);
  Batch take(const std::stop_token& stop);
  bool have_store(const std::stop_token& stop);
  bool store(const Batch& batch, const std::stop_token& stop);
  void keep_to_rate(std::size_t events, const std::stop_token& stop);

  void in_trouble(std::string_view cause, std::string sentence);

  const std::unique_ptr<EventSource> source_;
  const OpenStore open_;
  const OrderServiceOptions options_;
  const std::size_t batch_;  ///< as the rate allows

  // The reading thread's.
  std::uint64_t read_ = 0;       ///< a mark
  std::uint64_t confirmed_ = 0;  ///< a mark
  Pause after_reading_{options_}, after_confirming_{options_};

  // The storing thread's.
  std::unique_ptr<OrderStore> store_;
  std::unique_ptr<FailedRetrier> retrier_;  ///< with a connection of its own
  Pause after_storing_{options_};
  std::chrono::steady_clock::time_point next_at_{};  ///< when the rate allows the next event

  std::mutex mutex_;  ///< protects what follows
  std::condition_variable_any changed_;
  Batch waiting_;  ///< read, and stored next

  std::atomic<std::uint64_t> stored_{0};   ///< a mark
  std::atomic<std::uint64_t> storing_{0};  ///< records of the batch that is being stored
  std::atomic<std::uint64_t> events_{0}, parked_{0}, times_in_trouble_{0}, failed_{0};
  std::atomic<std::int64_t> lag_{-1};  ///< less than 0: not known
  Troubles troubles_{"orders"};
};

}  // namespace firstcome::events
