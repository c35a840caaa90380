// The sales that a node has met. What is kept of them never changes, so it is asked for once.
#pragma once

#include "engine/guarded/inventory.hpp"

#include <firstcome/sale.hpp>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace firstcome::engine {

struct GuardedSale {
  SaleHandle handle{};
  SaleTerms terms;
};

/// Thread-safe. What it gives stays valid as long as it lives.
class KnownSales {
 public:
  /// Null: not met yet.
  const GuardedSale* find(std::string_view id) const {
    const std::shared_lock guard(mutex_);
    const auto found = by_id_.find(std::string(id));
    return found == by_id_.end() ? nullptr : found->second.get();
  }
  const GuardedSale* find(SaleHandle handle) const {
    const std::shared_lock guard(mutex_);
    const auto found = by_handle_.find(value(handle));
    return found == by_handle_.end() ? nullptr : found->second;
  }
  /// Those whose units are held until customers pay.
  std::vector<const GuardedSale*> that_hold() const {
    const std::shared_lock guard(mutex_);
    std::vector<const GuardedSale*> all;
    for (const auto& [id, sale] : by_id_)
      if (holds_for_customers(sale->terms)) all.push_back(sale.get());
    return all;
  }
  const GuardedSale& add(const SaleView& sale) {
    const std::unique_lock guard(mutex_);
    std::unique_ptr<const GuardedSale>& known = by_id_[sale.terms.id];
    if (!known) known = std::make_unique<GuardedSale>(GuardedSale{sale.handle, sale.terms});
    by_handle_[value(sale.handle)] = known.get();
    return *known;
  }

 private:
  mutable std::shared_mutex mutex_;  ///< protects what follows
  std::unordered_map<std::string, std::unique_ptr<const GuardedSale>> by_id_;
  std::unordered_map<std::uint64_t, const GuardedSale*> by_handle_;
};

}  // namespace firstcome::engine
