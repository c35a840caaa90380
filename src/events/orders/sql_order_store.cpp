#include "events/orders/sql_order_store.hpp"

#include "events/orders/order_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <map>

namespace firstcome::events {

using Fault = SqlFailure::Fault;
namespace {

FailedEvent failed_from(const Event& event, std::string error, Instant now) {
  FailedEvent failed;
  failed.id = id_for_storing(event.id, 64);
  failed.reservation = id_for_storing(event.reservation, 64);
  failed.sale = id_for_storing(event.sale, 64);
  failed.sequence = event.sequence;
  failed.type = word(event.type);
  failed.body = to_json(event);
  failed.error = std::move(error);
  failed.first_failed_at = failed.last_failed_at = failed.next_try_at = now;
  return failed;
}

}  // namespace

Instant wall_clock() {
  // allowed: orders are dated where no engine runs; who has another clock gives it
  return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
}

engine::SqlSessionOptions session_options(const OrderStoreOptions& options) {
  using File = engine::SqlSessionOptions::File;
  return {.database = options.database,
          .file = options.tables == OrderStoreOptions::Tables::expect ? File::expect : File::make,
          .connect_timeout = options.connect_timeout,
          .statement_timeout = options.statement_timeout,
          .lock_timeout = options.lock_timeout,
          .stop = options.stop};
}

std::expected<std::unique_ptr<OrderStore>, std::string> OrderStore::open(OrderStoreOptions options) {
  assert(options.now && "an order store needs a clock");
  auto store = std::make_unique<SqlOrderStore>(std::move(options));
  try {
    store->connect();
  } catch (const SqlFailure& failure) {
    return std::unexpected(store->trouble_of(failure).sentence);
  }
  return store;
}

void SqlOrderStore::connect() {
  auto session = std::make_unique<SqlSession>(session_options(options_));
  if (options_.tables == OrderStoreOptions::Tables::make) {
    make_tables(*session, order_schema());
  } else {
    expect_tables(*session, order_schema());
  }
  session_ = std::move(session);
}

Trouble SqlOrderStore::trouble_of(const SqlFailure& failure) const {
  return {failure.kind, fmt::format("order database {}: {}", options_.database.text(), failure.sentence)};
}

SqlOrderStore::Result<Stored> SqlOrderStore::store(std::span<const Event> events) {
  if (events.empty()) return Stored{};
  return write_rows(events.size(), [&](SqlSession& session) {
    try {
      return store_all(session, events, Refusals::fail);
    } catch (const SqlFailure& failure) {
      if (failure.fault == Fault::database) throw;
    }
    return store_all(session, events, Refusals::park);
  });
}

namespace {

/// Takes those out that have to wait behind a failed event of their reservation.
std::vector<OrderUnit> take_blocked(FailedEvents& failed, std::vector<OrderUnit>& units) {
  std::vector<OrderUnit> behind;
  const auto blocked = failed.blocked(units);
  if (blocked.empty()) return behind;
  std::vector<OrderUnit> rest;
  for (OrderUnit& unit : units) (blocked.contains(unit.reservation) ? behind : rest).push_back(std::move(unit));
  units = std::move(rest);
  return behind;
}

}  // namespace

Stored SqlOrderStore::store_all(SqlSession& session, std::span<const Event> events, Refusals refusals) {
  SqlTransaction transaction(session);
  FailedEvents failed(session, rows_.now());
  std::vector<OrderUnit> units = units_of(events);
  const std::vector<OrderUnit> behind = take_blocked(failed, units);
  OrderWriter writer(session, options_.now(), rows_.now());
  std::vector<Blamed> refused;
  if (refusals == Refusals::fail) {
    writer.write_new(units);
  } else {
    refused = writer.write_all_but(units);
  }
  Stored stored = park_all(session, behind, refused);
  note_told(session, told_by(events));
  transaction.commit();
  stored.written = events.size() - stored.parked;
  return stored;
}

Stored SqlOrderStore::park_all(SqlSession& session, const std::vector<OrderUnit>& behind,
                               const std::vector<Blamed>& blamed) {
  FailedEvents failed(session);
  Stored stored;
  const Instant now = options_.now();
  const auto keep = [&](const FailedEvent& event) {
    if (failed.add(event) == FailedEvents::Kept::now) ++stored.parked;
  };
  for (const OrderUnit& unit : behind) {
    for (const Event* event : unit.events) {
      keep(failed_from(*event, "waits behind an event of its reservation that could not be stored", now));
    }
  }
  for (const Blamed& one : blamed) {
    for (std::size_t i = one.index; i < one.unit->events.size(); ++i) {
      const Event& event = *one.unit->events[i];
      FailedEvent parked =
          failed_from(event, i == one.index ? one.error : "waits behind " + one.unit->events[one.index]->id, now);
      if (i == one.index) parked.attempts = 1;
      parked.next_try_at = now + pause_after(1);
      keep(parked);
    }
  }
  return stored;
}

SqlOrderStore::Result<void> SqlOrderStore::park(const NoEvent& what) {
  return with_session([&](SqlSession& session) {
    SqlTransaction transaction(session);
    FailedEvent failed;
    failed.id = id_for_storing(what.id, 300);
    failed.body = what.body;
    failed.error = what.error;
    failed.attempts = 1;
    failed.source = id_for_storing(what.source, 300);
    failed.first_failed_at = failed.last_failed_at = options_.now();
    failed.next_try_at = failed.first_failed_at + pause_after(1);
    FailedEvents(session).add(failed);
    transaction.commit();
  });
}

// --- failed events ----------------------------------------------------------------------------------------------

namespace {

/// Failed events that say something by now: a later firstcome may understand what an earlier one did not.
struct Readable {
  std::vector<Event> events;
  std::vector<const FailedEvent*> failed;  ///< of each of them
};

}  // namespace

SqlOrderStore::Result<Retried> SqlOrderStore::retry_due(Instant now, std::size_t limit) {
  limit = std::min(limit, rows_.now());
  auto retried = with_session([&](SqlSession& session) { return retry(session, now, limit); });
  if (retried) {
    rows_.stored(retried->stored + retried->failed);
  } else {
    note_failure(retried.error(), limit);
  }
  return retried;
}

Retried SqlOrderStore::retry(SqlSession& session, Instant now, std::size_t limit) {
  SqlTransaction transaction(session);
  FailedEvents failed(session, rows_.now());
  Retried retried;
  const std::vector<FailedEvent> due = failed.due(now, limit);
  Readable readable;
  for (const FailedEvent& one : due) {
    auto event = event_from_json(one.body);
    if (event) {
      readable.events.push_back(std::move(*event));
      readable.failed.push_back(&one);
    } else {
      failed.fail_again(one, event.error(), now);
      ++retried.failed;
    }
  }
  // One that could not be read has waited without a reservation, so its place in the list says nothing.
  const std::vector<OrderUnit> units = units_of(readable.events);
  const std::vector<Blamed> blamed = OrderWriter(session, now, rows_.now()).write_all_but(units);
  std::set<const Event*> still;
  std::map<const Event*, std::string> reasons;
  for (const Blamed& one : blamed) {
    still.insert(one.unit->events.begin() + std::ptrdiff_t(one.index), one.unit->events.end());
    reasons[one.unit->events[one.index]] = one.error;
  }
  std::vector<const FailedEvent*> done;
  for (std::size_t i = 0; i < readable.events.size(); ++i) {
    const Event* const event = &readable.events[i];
    if (!still.contains(event)) done.push_back(readable.failed[i]);
    if (const auto why = reasons.find(event); why != reasons.end()) {
      failed.fail_again(*readable.failed[i], why->second, now);
    }
  }
  failed.remove(done);
  transaction.commit();
  retried.stored = done.size();
  retried.failed += still.size();
  return retried;
}

SqlOrderStore::Result<std::uint64_t> SqlOrderStore::failed_count() {
  return with_session([](SqlSession& session) { return FailedEvents(session).count(); });
}

SqlOrderStore::Result<std::uint64_t> SqlOrderStore::due_count(Instant now) {
  return with_session([&](SqlSession& session) { return FailedEvents(session).due_count(now); });
}

SqlOrderStore::Result<Erased> SqlOrderStore::erase(const std::string& customer, const std::string& pseudonym) {
  return with_session([&](SqlSession& session) {
    SqlTransaction transaction(session);
    const std::string was = " WHERE customer = " + literal(customer);
    const std::string now = " SET customer = " + literal(pseudonym);
    Erased erased;
    erased.orders = session.execute("UPDATE orders" + now + was);
    erased.payments = session.execute("UPDATE payments" + now + ", account_number = NULL" + was);
    erased.events = FailedEvents(session).erase(customer, pseudonym);
    transaction.commit();
    return erased;
  });
}

SqlOrderStore::Result<FailedPage> SqlOrderStore::failed(const std::string& after, std::size_t limit) {
  return with_session([&](SqlSession& session) {
    FailedPage page;
    page.items = FailedEvents(session).page(after, limit + 1);
    if (page.items.size() <= limit) return page;
    page.items.pop_back();
    page.next = page.items.back().id + " " + page.items.back().reservation;
    return page;
  });
}

SqlOrderStore::Result<std::uint64_t> SqlOrderStore::retry_now(const std::optional<std::string>& id) {
  return with_session([&](SqlSession& session) {
    SqlTransaction transaction(session);
    const std::uint64_t count = FailedEvents(session).retry_now(id, options_.now());
    transaction.commit();
    return count;
  });
}

SqlOrderStore::Result<std::uint64_t> SqlOrderStore::discard(const std::string& id, const Discard& why) {
  return with_session([&](SqlSession& session) {
    SqlTransaction transaction(session);
    const std::uint64_t count = FailedEvents(session).discard(id, why, options_.now());
    transaction.commit();
    return count;
  });
}

}  // namespace firstcome::events
