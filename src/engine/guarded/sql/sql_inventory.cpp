#include "engine/guarded/sql/sql_inventory.hpp"

#include "engine/guarded/plain_seller.hpp"
#include "engine/guarded/sql/sql_seller.hpp"
#include "engine/guarded/sql/sql_shelf.hpp"
#include "engine/guarded/sql/sql_tables.hpp"

#include <optional>

namespace firstcome::engine {
namespace {

class SqlInventorySession final : public InventorySession {
 public:
  explicit SqlInventorySession(const NodeParts& parts)
      : link_(parts.options, parts.writer, parts.stop), shelf_(parts.options, link_), book_(parts.options, link_) {
    if (parts.options.guard == GuardKind::one_statement) procedures_ = Procedures::needed;
    if (parts.guard != nullptr) {
      plain_.emplace(parts, book_);
    } else {
      seller_ = make_sql_seller(parts, link_, book_);
    }
  }

  StoreSecret open() override { return open_tables(link_, procedures_); }

  SaleAnswer create(const SaleTerms& terms) override { return shelf_.create(terms); }
  std::optional<SaleView> sale(const std::string& id) override { return shelf_.sale(id); }
  std::vector<SaleView> sales(const std::string& after, std::uint32_t limit) override {
    return shelf_.sales(after, limit);
  }
  std::vector<OrderRow> orders(SaleHandle sale, const std::optional<std::string>& customer, Number after,
                               std::uint32_t limit) override {
    return shelf_.orders(sale, customer, after, limit);
  }
  std::optional<OrderRow> order(ReservationRef ref) override { return shelf_.order(ref); }

  Sold sell(const Purchase& purchase) override { return plain_ ? plain_->sell(purchase) : seller_->sell(purchase); }

  void keep_commit_times(std::span<const CommitTime> times) override { shelf_.keep_commit_times(times); }
  bool mark_paid(const Purchase& held, Number number, const Payment& payment) override {
    return book_.mark_paid(held, number, payment);
  }
  bool end_hold(const Purchase& held, Number number, After after) override {
    return plain_ ? plain_->take_back(held, number, after) : seller_->end_hold(held, number, after);
  }
  std::vector<OrderRow> unpaid(SaleHandle sale, Instant before) override { return shelf_.unpaid(sale, before); }

 private:
  SqlLink link_;
  SqlShelf shelf_;
  SqlBook book_;
  Procedures procedures_ = Procedures::none;
  std::optional<PlainSeller> plain_;   ///< of a guard beside the inventory
  std::unique_ptr<SqlSeller> seller_;  ///< of the others
};

}  // namespace

std::unique_ptr<InventorySession> make_sql_inventory(const NodeParts& parts) {
  return std::make_unique<SqlInventorySession>(parts);
}

}  // namespace firstcome::engine
