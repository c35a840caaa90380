#include "engine/redis/redis_audit.hpp"

#include "engine/auditor.hpp"
#include "sale/hash.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::engine {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t page_records = 400;
constexpr std::uint32_t page_entries = 64;
constexpr seconds page_patience{10};
constexpr int most_attempts = 3;

}  // namespace

class RedisAudit::Page final : public DeskRequest {
 public:
  explicit Page(std::shared_ptr<RedisAudit> audit) : audit_(std::move(audit)) {}

  void add(net::RedisCommand& call) override {
    if (audit_->next_ <= audit_->last_) {
      add_records_request(call, audit_->next_, audit_->next_ + page_records - 1);
    } else {
      add_changes_request(call, audit_->events_seen_, page_entries);
    }
  }
  bool read(BinaryReader& reader, const CallHead& head) override {
    const auto page = read_page(reader, audit_->desk_->sale().handle);
    if (!page) return false;
    audit_->take(*page, head);
    return true;
  }
  void fail(const Failure& failure) override { audit_->fail(failure); }
  bool is_page() const override { return true; }

 private:
  std::shared_ptr<RedisAudit> audit_;
};

RedisAudit::RedisAudit(std::shared_ptr<SaleDesk> desk, AuditSale::Depth depth, Done done)
    : desk_(std::move(desk)), depth_(depth), done_(std::move(done)) {}

void RedisAudit::start() { ask(); }

void RedisAudit::ask() {
  desk_->submit(std::make_unique<Page>(shared_from_this()), std::chrono::steady_clock::now() + page_patience);
}

void RedisAudit::fail(const Failure& failure) { std::exchange(done_, nullptr)(std::unexpected(failure)); }

void RedisAudit::take(const CountedPage& page, const CallHead& head) {
  for (const sale::ReservationRecord& record : page.records) {
    const std::uint64_t number = value(record.ref.number);
    if (facts_.size() < number) facts_.resize(number);
    facts_[number - 1] = {.created_at = record.created_at,
                          .customer = sale::hash_text(record.customer, 0),
                          .quantity = static_cast<std::uint32_t>(record.quantity),
                          .state = record.state};
  }
  if (next_ <= last_) {
    if (next_ == 1) {
      last_ = head.sale.last;
      events_seen_ = page.events;
    }
    next_ += page_records;
  } else {
    if (page.reached == 0) return begin_again();
    events_seen_ = page.reached;
    if (page.reached == page.events) return finish(page, head);
  }
  ask();
}

/// What changed meanwhile cannot be told any more.
void RedisAudit::begin_again() {
  if (++attempts_ == most_attempts) {
    return fail(
        {FailureCode::overloaded, "the outbox keeps fewer delivered events than there are while it is counted"});
  }
  facts_.clear();
  next_ = 1;
  last_ = UINT64_MAX;
  ask();
}

void RedisAudit::finish(const CountedPage& page, const CallHead& head) {
  sale::SaleRecord record;
  record.terms = view_of(desk_->sale(), head.sale, head.now).terms;
  record.available = head.sale.available;
  record.held = head.sale.held;
  record.sold = head.sale.sold;
  record.last_number = head.sale.last;
  record.serving = head.sale.serving;
  record.sold_out_upto = page.sold_out_upto;
  record.closed_upto = page.closed_upto;
  Auditor auditor(record, depth_);
  sale::ReservationRecord one;
  for (std::size_t i = 0; i < facts_.size(); ++i) {
    const Fact& fact = facts_[i];
    if (fact.state == ReservationState{}) continue;  // the auditor sees the gap
    one.ref = {desk_->sale().handle, Number{i + 1}};
    one.customer.assign(reinterpret_cast<const char*>(&fact.customer), sizeof fact.customer);
    one.quantity = fact.quantity;
    one.state = fact.state;
    one.created_at = fact.created_at;
    auditor.take(one);
  }
  std::exchange(done_, nullptr)(auditor.finish());
}

}  // namespace firstcome::engine
