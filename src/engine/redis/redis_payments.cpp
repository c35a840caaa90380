// Payment work of many nodes. Holds to charge are handed out by a cursor that all share; begin_payment is the claim
// that keeps others away. What a node took and did not finish, because it died, is found by the others after a while:
// a charge that was claimed long ago is settled, a hold that nobody claimed is handed out again, a refund that is due
// is made. Gateways are asked by the reservation's id, so that asking twice charges or refunds once.
#include "engine/redis/redis_core.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

using std::chrono::seconds;

constexpr seconds rescue_pause{2};
constexpr seconds granted_long_ago{5};
constexpr seconds handed_out_lately{10};  // not again so soon
constexpr std::uint32_t forgotten_page = 100;

}  // namespace

/// Looks for holds that were handed out to be charged and never claimed.
class RedisCore::ForgottenRequest final : public DeskRequest {
 public:
  ForgottenRequest(RedisCore& core, const KnownSale& sale, Instant granted_before)
      : core_(core), sale_(sale), granted_before_(granted_before) {}

  void add(net::RedisCommand& call) override {
    add_forgotten_request(call, core_.forgotten_from_[value(sale_.handle)], forgotten_page, granted_before_);
  }
  bool read(BinaryReader& reader, const CallHead&) override {
    const auto found = read_forgotten(reader, sale_);
    if (!found) return false;
    core_.forgotten_from_[value(sale_.handle)] = found->next_from;
    core_.forgotten_.insert(core_.forgotten_.end(), found->tasks.begin(), found->tasks.end());
    if (!found->tasks.empty()) core_.events_.payment_work();
    return true;
  }
  void fail(const Failure&) override {}

 private:
  RedisCore& core_;
  const KnownSale& sale_;
  const Instant granted_before_;
};

void RedisCore::want_payments(SaleHandle handle) {
  if (!in_payment_sales_.insert(value(handle)).second) return;
  payment_sales_.push_back(value(handle));
  events_.payment_work();
}

void RedisCore::take_tasks(Operation& operation, const TakePaymentTasks& command) {
  if (!forgotten_.empty()) {
    PaymentTasksAnswer answer;
    while (!forgotten_.empty() && answer.tasks.size() < command.limit) {
      answer.tasks.push_back(forgotten_.front());
      forgotten_.pop_front();
    }
    if (!forgotten_.empty() || !payment_sales_.empty()) events_.payment_work();
    return complete_now(operation, std::move(answer));
  }
  while (!payment_sales_.empty()) {
    const std::uint64_t handle = payment_sales_.front();
    payment_sales_.pop_front();
    in_payment_sales_.erase(handle);
    const auto desk = desks_.find(handle);
    if (desk == desks_.end()) continue;
    if (!payment_sales_.empty()) events_.payment_work();
    return desk->second->submit(operation, deadline_from_now());
  }
  complete_now(operation, PaymentTasksAnswer{});
}

/// Takes out what was handed out lately: it is likely under way.
void RedisCore::keep_new_tasks(std::vector<PaymentTask>& tasks) {
  const SteadyTime now = SteadyClock::now();
  std::erase_if(tasks, [&](const PaymentTask& task) {
    if (task.action == PaymentTask::Action::charge) return false;
    return !handed_out_.try_emplace({task.ref, task.action}, now).second;
  });
}

void RedisCore::rescue_payments() {
  const SteadyTime now = SteadyClock::now();
  if (now - rescued_at_ < rescue_pause) return;
  rescued_at_ = now;
  std::erase_if(handed_out_, [now](const auto& one) { return now - one.second > handed_out_lately; });
  for (const auto& [handle, desk] : desks_) {
    const CallHead& head = desk->head();
    if (head.unfinished) want_payments(SaleHandle{handle});
    const bool charges_itself = desk->sale().terms.payment == PaymentMode::automatic;
    if (charges_itself && head.sale.held > 0 && forgotten_.empty()) {
      auto request = std::make_unique<ForgottenRequest>(*this, desk->sale(), head.now - granted_long_ago);
      desk->submit(std::move(request), deadline_from_now());
    }
  }
}

}  // namespace firstcome::engine
