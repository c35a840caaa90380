#include "api/api.hpp"

#include "api/call.hpp"
#include "api/problem.hpp"
#include "api/routes.hpp"

#include <exception>
#include <utility>
#include <vector>

namespace firstcome::api {

namespace {

std::vector<Metrics::Route> metric_labels() {
  std::vector<Metrics::Route> labels;
  for (const Route& route : routes()) labels.push_back({name_of(route.method), route.pattern});
  labels.push_back({"any", "unmatched"});
  labels.push_back({"any", "refused"});
  return labels;
}

}  // namespace

struct Api::Impl {
  Impl(Engine& engine, engine::ReservationIds ids, payment::Cashier* cashier, ApiHooks hooks)
      : metrics(metric_labels()),
        context{
            engine,           std::move(ids), cashier, hooks.orders, std::move(hooks.post), std::move(hooks.held_back),
            hooks.steady_now, metrics} {
    context.order_path = hooks.order_path;
  }

  Call& call_of(net::Exchange& exchange) {
    if (!exchange.attachment) exchange.attachment = std::make_unique<Call>(context, exchange);
    return static_cast<Call&>(*exchange.attachment);
  }

  Metrics metrics;
  Context context;
};

Api::Api(Engine& engine, engine::ReservationIds ids, payment::Cashier* cashier, ApiHooks hooks)
    : impl_(std::make_unique<Impl>(engine, std::move(ids), cashier, std::move(hooks))) {}

Api::~Api() = default;

Metrics& Api::metrics() { return impl_->metrics; }

void Api::handle(net::Exchange& exchange) noexcept {
  try {
    impl_->call_of(exchange).begin();
  } catch (const std::exception&) {  // no memory for the connection's call
    exchange.respond(503, {}, {});
  }
}

void Api::refuse(net::BadRequest why, net::Exchange& exchange) noexcept {
  try {
    impl_->call_of(exchange).begin_refused(why);
  } catch (const std::exception&) {
    exchange.respond(503, {}, {});
  }
}

// What only looks can be asked again; whatever else was asked for may still happen.
net::LateAnswer Api::give_up(const net::HttpRequest& request) noexcept {
  net::LateAnswer answer;
  try {
    const bool only_looks = request.method == net::Method::get || request.method == net::Method::head;
    const Code code = only_looks ? Code::overloaded : Code::outcome_unknown;
    answer.status = row_of(code).status;
    write_problem(answer.body, code, only_looks ? "The server is stopping; ask again." : "");
    answer.content_type = problem_type;
    answer.fields.push_back({"Retry-After", "1"});
  } catch (const std::exception&) {  // no memory: the status alone says enough
    answer.content_type.clear();
    answer.body.clear();
  }
  return answer;
}

}  // namespace firstcome::api
