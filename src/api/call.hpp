// One request under way, from its first look to its answer. Every connection has one and uses it again and again.
//
// Mechanism: `begin` runs a route's handler, which reads the request, fills a command and calls `ask`; the engine
// completes the operation on this thread, and `then` writes the answer. Between the two nothing is kept but what stands
// here and in the exchange's request, which stays valid until the answer.
//
// Invariants: answered exactly once per request; nothing here allocates for a reservation once its strings have grown.
#pragma once

#include "api/json_members.hpp"
#include "api/metrics.hpp"
#include "api/order_path.hpp"
#include "api/problem.hpp"
#include "api/query.hpp"
#include "engine/reservation_id.hpp"
#include "net/http_server.hpp"
#include "net/json_writer.hpp"

#include <firstcome/engine.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::payment {
class Cashier;
}
namespace firstcome::events {
class OrderLookup;
}

namespace firstcome::api {

struct SaleAudit;

/// What all calls share. Not thread-safe: the server's thread only.
struct Context {
  Engine& engine;
  engine::ReservationIds ids;
  payment::Cashier* cashier = nullptr;
  events::OrderLookup* orders = nullptr;
  std::function<void(std::move_only_function<void()>)> post;
  std::function<std::string()> held_back;  ///< as ApiHooks says
  std::chrono::steady_clock::time_point (*steady_now)() = nullptr;
  Metrics& metrics;
  OrderPath order_path = OrderPath::written_by_relay;
  std::weak_ptr<SaleAudit> comparing = {};  ///< the one audit that compares orders; expired: none
  std::uint64_t last_mistake = 0;           ///< numbers the ids of requests that met a bug
  std::uint64_t last_acquisition = 0;       ///< numbers the requests for locks
};

enum class EmptyBody : std::uint8_t { refused, is_empty_object };

/// What is wrong with a request, beyond its code.
struct Refusal {
  std::string_view detail = {};
  std::span<const ProblemMember> members = {};
  std::chrono::milliseconds retry_after{0};  ///< 0: that of the code's row
};

class Call final : public net::Attachment, public Operation {
 public:
  Call(Context& context, net::Exchange& exchange) : context_(context), exchange_(exchange) {}

  using Handler = void (*)(Call&);

  /// Handles the request that the exchange holds now. Never throws.
  void begin() noexcept;
  /// Answers a request that the server itself refuses.
  void begin_refused(net::BadRequest why) noexcept;

  // --- for handlers ---

  Context& context() { return context_; }
  const net::HttpRequest& request() const { return exchange_.request(); }

  /// The part of the path that the route's pattern calls `{...}`, decoded. Valid until the answer.
  std::string_view parameter = {};
  std::string decoded_path;  ///< where the path had escapes
  std::string decoded_key;   ///< where the idempotency key had escapes
  Query query;
  std::shared_ptr<SaleAudit> sale_audit;  ///< of an audit that compares orders; goes with the answer

  /// Reads the JSON body into `members`; what is wrong with it, if anything.
  std::optional<BadInput> look_at_body(std::span<const MemberRule> rules, EmptyBody empty);
  /// The same. False: it was not what it should be, and that was answered.
  bool read_body(std::span<const MemberRule> rules, EmptyBody empty);
  JsonMembers members;

  /// Calls `then` with the reservation that the path names; where that is no id of ours, answers so. The sale is asked
  /// first where this node may not have heard yet what the id means, because another one has begun an incarnation.
  using OfReservation = void (*)(Call&, ReservationRef);
  void with_reservation(OfReservation then);

  /// Sends a command. `then` is called with its answer; a Failure is answered here.
  template <class C>
  void ask(C new_command, Handler then) {
    command = std::move(new_command);
    then_ = then;
    asked_ = true;
    context_.engine.submit(*this);
  }
  /// What the engine said. REQUIRES: called by `then`, of a command with this answer.
  template <class A>
  const A& said() const {
    return std::get<A>(*answer);
  }
  /// The same for an answer that may be large: it does not stay with the connection.
  template <class A>
  A take() {
    return std::move(std::get<A>(*answer));
  }

  /// The answer's body, empty when the handler is called.
  std::string out;

  /// Answers with `out` as JSON, or with no body where it is empty.
  void respond(unsigned status, std::span<const net::HttpField> fields = {});
  void respond_with(unsigned status, std::string_view content_type, std::span<const net::HttpField> fields = {});
  void refuse(Code code, const Refusal& refusal = {}, std::span<const net::HttpField> fields = {});
  void refuse(const BadInput& bad);

  void completed() noexcept override;
  /// Ends the wait for a lock.
  void hurry() noexcept override;

  /// Runs what answers after something else than the engine was asked, on the server's thread, with the same border
  /// for exceptions.
  template <class F>
  void later(F&& answer_now) noexcept {
    guard(std::forward<F>(answer_now));
  }

 private:
  void route_and_handle();
  void answer_options(bool path_known);
  void start();

  /// The border at which exceptions end.
  template <class F>
  void guard(F&& work) noexcept {
    try {
      work();
    } catch (const std::exception& mistake) {
      confess(mistake.what());
    } catch (...) {
      confess("an exception of an unknown type");
    }
  }

  /// An exception reached the border: answers `internal` with an id that also stands in the log.
  void confess(std::string_view what) noexcept;

  Context& context_;
  net::Exchange& exchange_;
  Handler then_ = nullptr;
  OfReservation of_reservation_ = nullptr;
  bool asked_ = false;  ///< the engine has not completed it yet
  std::size_t route_ = 0;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace firstcome::api
