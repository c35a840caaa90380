// Orders stored a second, beside plain multi-row inserts of the same rows into the same tables, 500 at a time, whose
// text was made before the clock ran.
//
//     bench_order_store URL [ROWS]        of an order database that is there for this
#include "figure.hpp"
#include "plain_orders.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

namespace {

using namespace firstcome;
using namespace firstcome::events;
using engine::SqlDialect;
using engine::SqlValues;

constexpr int rounds = 4;

std::vector<Event> events_of(int round, std::size_t count) {
  std::vector<Event> events(count);
  for (std::size_t i = 0; i < count; ++i) {
    Event& event = events[i];
    event.id = fmt::format("{}-{}", round, i + 1);
    event.type = EventType::reservation_confirmed;
    event.sale = "ticket";
    event.sequence = i + 1;
    event.reservation = fmt::format("{:0>12}{:0>{}}", round, i + 1, engine::reservation_id_length - 12);
    event.number = Number{i + 1};
    event.at = Instant{Milliseconds{1'700'000'000'000}};
    event.customer = fmt::format("customer-{}", (i * 7'919) % count);
    event.quantity = 1;
    event.amount = 10'000;
    event.currency = "KRW";
    event.payment = Payment{fmt::format("payment-{}", i), "110-123-456789"};
  }
  return events;
}

std::string plain_payments(std::span<const Event> events, const SqlDialect& dialect) {
  std::string sql = "INSERT INTO payments VALUES ";
  SqlValues values(sql, dialect);
  for (const Event& event : events) {
    values.begin_row();
    values.text(event.reservation).text(event.sale).text(event.customer).text(event.payment->id);
    values.text(event.payment->account_number).number(event.amount).text(event.currency).text("charged");
    values.number(event.sequence).instant(event.at);
    values.end_row();
  }
  return sql;
}

template <typename Work>
double rate(std::size_t rows, Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return static_cast<double>(rows) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double plain_rate(SqlSession& session, const std::vector<Event>& events) {
  const auto orders =
      bench::statements_of(events, [&](auto some) { return bench::plain_orders(some, session.dialect()); });
  const auto payments =
      bench::statements_of(events, [&](auto some) { return plain_payments(some, session.dialect()); });
  return rate(events.size(), [&] {
    for (std::size_t i = 0; i < orders.size(); ++i) {
      SqlTransaction transaction(session);
      session.run(orders[i]);
      session.run(payments[i]);
      transaction.commit();
    }
  });
}

double store_rate(OrderStore& store, const std::vector<Event>& events, std::size_t batch) {
  return rate(events.size(), [&] {
    for (std::size_t i = 0; i < events.size(); i += batch) {
      const auto stored = store.store(std::span(events).subspan(i, std::min(batch, events.size() - i)));
      if (!stored) throw std::runtime_error(stored.error().sentence);
    }
  });
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

int run(const std::string& url, std::size_t rows) {
  OrderStoreOptions options;
  const auto database = engine::parse_database_url(url, "order database");
  if (!database) throw std::runtime_error(database.error());
  options.database = *database;
  auto store = OrderStore::open(options);
  if (!store) throw std::runtime_error(store.error());
  SqlSession session(session_options(options));
  std::vector<double> plain, same, larger;
  for (int round = 0; round < rounds; ++round) {
    const char* const empty =
        database->kind == engine::DatabaseUrl::Kind::sqlite ? "DELETE FROM {}" : "TRUNCATE TABLE {}";
    for (const char* table : {"orders", "payments"}) session.run(fmt::format(fmt::runtime(empty), table));
    plain.push_back(plain_rate(session, events_of(3 * round, rows)));
    same.push_back(store_rate(**store, events_of(3 * round + 1, rows), order_batch_rows));
    larger.push_back(store_rate(**store, events_of(3 * round + 2, rows), 4 * order_batch_rows));
  }
  bench::figure("plain_inserts_per_s", median(plain));
  bench::figure("store_batches_of_500_per_s", median(same));
  bench::figure("store_batches_of_2000_per_s", median(larger));
  bench::figure_at_least("store_to_plain_inserts", median(same) / median(plain), 0.6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "bench_order_store URL [ROWS]\n");
    return 64;
  }
  try {
    return run(argv[1], argc > 2 ? static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10)) : 20'000);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_order_store: {}\n", error.what());
  } catch (const SqlFailure& failure) {
    fmt::print(stderr, "bench_order_store: {}\n", failure.sentence);
  }
  return 69;
}
