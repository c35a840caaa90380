// The outbox: one stream for each sale, read and trimmed by a script of its own, beside the desks.
//
// Reading changes nothing and moving the watermark twice is the same as once, so whatever breaks is asked again until
// the deadline.
#include "engine/redis/outbox_codec.hpp"
#include "engine/redis/redis_core.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace firstcome::engine {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds pause_before_again{50};
constexpr std::size_t asked_together = 256;  // sales; each is a few microseconds of the server's time
constexpr std::size_t most_streams = 1'000;

Failure unreadable() { return {FailureCode::store_unavailable, "Redis: a reply about the outbox that cannot be read"}; }

/// What was only read: nobody needs to know whether it ran.
Failure only_read(Failure failure) {
  if (failure.code == FailureCode::outcome_unknown) failure.code = FailureCode::store_unavailable;
  return failure;
}

template <class A>
Answer not_there() {
  A answer;
  answer.outcome = Outcome::sale_not_found;
  return answer;
}

}  // namespace

// --- asking ---

/// A nil reply: the sale has been deleted.
void RedisCore::ask_sale(SaleHandle handle, net::RedisCommand command, SteadyTime deadline, Replied done) {
  client_.execute(
      SaleKeys(handle).hash, command, deadline,
      [this, handle, command, deadline, alive = std::weak_ptr(alive_),
       done = std::move(done)](net::RedisResult result) mutable {
        if (alive.expired()) return;
        if (result) return done(std::move(*result));
        const bool passing =
            is_worth_repeating(result, deadline) || (passes(result.error()) && SteadyClock::now() < deadline);
        if (passing) return ask_again_soon(handle, std::move(command), deadline, std::move(done));
        if (!result.error().is_refused("NOSALE")) return done(std::unexpected(failure_of(result.error())));
        find_out(handle, [this, handle, done = std::move(done)](DeskOffice::Missing what) mutable {
          using enum DeskOffice::Missing;
          if (what == erased) return done(net::RedisReply{});
          done(std::unexpected(Failure{what == lost ? FailureCode::store_lost : FailureCode::store_unavailable,
                                       "the store has lost the sale " + registry_.id_of(handle)}));
        });
      });
}

void RedisCore::ask_again_soon(SaleHandle handle, net::RedisCommand command, SteadyTime deadline, Replied done) {
  const auto pause = std::make_shared<boost::asio::steady_timer>(executor_, pause_before_again);
  pause->async_wait([this, pause, handle, command = std::move(command), deadline, alive = std::weak_ptr(alive_),
                     done = std::move(done)](const boost::system::error_code&) mutable {
    if (!alive.expired()) ask_sale(handle, std::move(command), deadline, std::move(done));
  });
}

/// Asks about the stream of one sale, and completes the operation with what `take` makes of the reply.
void RedisCore::ask_stream(Operation& operation, StreamQuestion question) {
  const SteadyTime deadline = deadline_from_now();
  Lookup lookup{.id = question.id, .handle = question.handle, .deadline = deadline, .found = {}};
  lookup.found = [this, &operation, deadline, question = std::move(question)](DeskOr desk) mutable {
    if (!desk) return complete_now(operation, std::unexpected(only_read(desk.error())));
    if (!*desk) return complete_now(operation, std::move(question.not_there));
    const SaleHandle handle = (*desk)->sale().handle;
    auto command = question.command(SaleKeys(handle));
    ask_sale(handle, std::move(command), deadline,
             [this, &operation, desk = std::move(*desk),
              question = std::move(question)](std::expected<net::RedisReply, Failure> reply) mutable {
               if (!reply) {
                 const bool writes = std::holds_alternative<DeliverEvents>(operation.command);
                 return complete_now(operation,
                                     std::unexpected(writes ? std::move(reply.error()) : only_read(reply.error())));
               }
               if (reply->is_nil()) return complete_now(operation, std::move(question.not_there));
               if (question.told_in && question.told_in(*reply) != past_.incarnation_of(desk->sale().handle)) {
                 return learn_incarnation(operation, desk->sale(), std::move(question));
               }
               auto answer = question.take(*reply, desk->sale());
               if (!answer) return complete_now(operation, std::unexpected(unreadable()));
               complete_now(operation, std::move(*answer));
             });
  };
  look_up(std::move(lookup));
}

/// Events cannot be told before this node has heard of the incarnation that another one has begun. Then they are read
/// again.
void RedisCore::learn_incarnation(Operation& operation, const KnownSale& sale, StreamQuestion question) {
  past_.look(
      {.sale = sale.handle, .sale_id = sale.terms.id}, deadline_from_now(),
      [this, &operation, question = std::move(question)](const std::expected<PastFound, Failure>& found) mutable {
        if (!found) return complete_now(operation, std::unexpected(only_read(found.error())));
        ask_stream(operation, std::move(question));
      });
}

// --- commands ---

void RedisCore::read_events(Operation& operation, const ReadEvents& command) {
  if (command.sale.empty()) {
    return complete_now(operation, std::unexpected(Failure{FailureCode::not_supported,
                                                           "give ?sale=ID: on Redis each sale has its own sequence"}));
  }
  ask_stream(operation,
             {.id = command.sale,
              .not_there = not_there<EventsAnswer>(),
              .command = [this, after = command.after, limit = command.limit](
                             const SaleKeys& keys) { return read_command(keys, registry_.store(), after, limit); },
              .take = [this](const net::RedisReply& reply, const KnownSale& sale) -> std::optional<Answer> {
                auto page = read_outbox_page(reply, sale);
                if (!page) return std::nullopt;
                note_marks(sale.handle, page->marks);
                EventsAnswer answer;
                answer.oldest = page->oldest;
                answer.items = std::move(page->items);
                const std::uint64_t last = answer.items.empty() ? page->marks.events : answer.items.back().sequence;
                if (last < page->marks.events) answer.next = last;
                return answer;
              },
              .told_in = incarnation_in});
}

void RedisCore::read_outbox(Operation& operation, const ReadOutbox& command) {
  ask_stream(operation,
             {.handle = command.stream,
              .not_there = not_there<OutboxAnswer>(),
              .command = [this, limit = command.limit](
                             const SaleKeys& keys) { return read_command(keys, registry_.store(), {}, limit); },
              .take = [this](const net::RedisReply& reply, const KnownSale& sale) -> std::optional<Answer> {
                auto page = read_outbox_page(reply, sale);
                if (!page) return std::nullopt;
                note_marks(sale.handle, page->marks);
                OutboxAnswer answer;
                answer.items = std::move(page->items);
                if (answer.items.empty()) return answer;
                answer.upto = answer.items.back().sequence;
                answer.levels.push_back(std::move(page->level));
                return answer;
              },
              .told_in = incarnation_in});
}

void RedisCore::deliver(Operation& operation, const DeliverEvents& command) {
  const std::uint64_t keep = std::max<std::uint64_t>(options_.outbox_keep, 1);
  ask_stream(operation,
             {.handle = command.stream,
              .not_there = not_there<DeliveredAnswer>(),
              .command = [this, command, keep](
                             const SaleKeys& keys) { return deliver_command(keys, registry_.store(), command, keep); },
              .take = [this](const net::RedisReply& reply, const KnownSale& sale) -> std::optional<Answer> {
                const auto delivered = read_delivered(reply);
                if (!delivered) return std::nullopt;
                note_marks(sale.handle, delivered->marks);
                return delivered->answer;
              }});
}

// --- finding ---

/// One small read for each sale of the list, some at a time.
struct RedisCore::Finding {
  Operation& operation;
  std::vector<SaleHandle> sales;  ///< in the order of their turn
  std::vector<std::uint64_t> undelivered;
  SteadyTime deadline;
  std::size_t asked = 0;
  std::size_t answered = 0;
  std::size_t failed = 0;
  std::size_t reached = 0;  ///< the last place that was answered
  std::optional<Failure> failure;
};

void RedisCore::find_undelivered(Operation& operation) {
  const SteadyTime deadline = deadline_from_now();
  registry_.refresh(deadline, [this, &operation, deadline](const std::expected<void, Failure>& result) {
    if (!result) return complete_now(operation, std::unexpected(only_read(result.error())));
    auto finding = std::make_shared<Finding>(
        Finding{.operation = operation, .sales = {}, .undelivered = {}, .deadline = deadline, .failure = {}});
    for (const auto& [id, sale] : registry_.sales()) {
      if (sale.phase != SalePhase::making) finding->sales.push_back(sale.handle);
    }
    std::ranges::sort(finding->sales);
    std::erase_if(marks_,
                  [&](const auto& one) { return !std::ranges::binary_search(finding->sales, SaleHandle{one.first}); });
    // Where there are more than may be told, others are told the next time.
    std::ranges::rotate(finding->sales, std::ranges::upper_bound(finding->sales, told_upto_));
    finding->undelivered.resize(finding->sales.size());
    if (finding->sales.empty()) return found_undelivered(*finding);
    while (finding->asked < std::min(asked_together, finding->sales.size())) ask_marks(finding);
  });
}

void RedisCore::ask_marks(const std::shared_ptr<Finding>& finding) {
  const std::size_t place = finding->asked++;
  const SaleHandle handle = finding->sales[place];
  const std::string key = SaleKeys(handle).hash;
  client_.execute(
      key, net::RedisCommand("HMGET", key, std::string_view{"m"}, std::string_view{"w"}, std::string_view{"store"}),
      finding->deadline, [this, finding, place, handle, alive = std::weak_ptr(alive_)](const net::RedisResult& result) {
        if (alive.expired()) return;
        if (!result) {
          ++finding->failed;
          finding->failure = failure_of(result.error());
        } else if (finding->reached = std::max(finding->reached, place); result->at(2).text == registry_.store()) {
          if (const auto marks = read_marks(result->at(0).text, result->at(1).text)) {
            note_marks(handle, *marks);
            finding->undelivered[place] = marks->undelivered();
          }
        }
        ++finding->answered;
        if (finding->asked < finding->sales.size()) return ask_marks(finding);
        if (finding->answered == finding->sales.size()) found_undelivered(*finding);
      });
}

/// Sales whose server does not answer keep nobody from the others: the next time those come first that were not
/// reached.
void RedisCore::found_undelivered(const Finding& finding) {
  if (finding.failed > 0 && finding.failed == finding.sales.size()) {
    return complete_now(finding.operation, std::unexpected(only_read(*finding.failure)));
  }
  UndeliveredAnswer answer;
  told_upto_ = finding.failed > 0 ? finding.sales[finding.reached] : SaleHandle{};
  for (std::size_t i = 0; i < finding.sales.size(); ++i) {
    if (finding.undelivered[i] == 0) continue;
    answer.events += finding.undelivered[i];
    if (answer.streams.size() == most_streams) {
      told_upto_ = answer.streams.back();
    } else {
      answer.streams.push_back(finding.sales[i]);
    }
  }
  complete_now(finding.operation, std::move(answer));
}

// --- what is known ---

void RedisCore::note_marks(SaleHandle handle, const SaleOutboxMarks& marks) { marks_[value(handle)].marks = marks; }

/// A call of a desk was answered.
void RedisCore::note_events(const SaleDesk& desk) {
  const SaleOutboxMarks& marks = desk.head().outbox;
  if (marks.events == 0) return;  // no call yet
  const SaleHandle handle = desk.sale().handle;
  SeenMarks& seen = marks_[value(handle)];
  seen.marks = marks;
  if (std::exchange(seen.told, marks.events) != marks.events && marks.undelivered() > 0) events_.events_written(handle);
}

std::uint64_t RedisCore::undelivered() const {
  std::uint64_t events = 0;
  for (const auto& [handle, seen] : marks_) events += seen.marks.undelivered();
  return events;
}

}  // namespace firstcome::engine
