// Reads what the server says it did: the sale, all of its reservations, its audit.
#pragma once

#include "net/http_client.hpp"
#include "rush/customer.hpp"
#include "rush/verdict.hpp"

#include <expected>
#include <string>
#include <vector>

namespace firstcome::rush {

/// Why something could not be read. A sentence that names the request.
struct TruthFailure {
  enum class Kind : std::uint8_t {
    unavailable,  ///< no answer, or none that can be read
    refused,      ///< the server said no
  };
  Kind kind = Kind::unavailable;
  std::string detail;
};

template <typename T>
using TruthResult = std::expected<T, TruthFailure>;

/// Asks about one sale, over a connection of its own: any of several servers that sell it together, another one where
/// one does not answer. Not thread-safe; one question at a time.
class TruthReader {
 public:
  /// REQUIRES: `origins` is not empty, and lives as long.
  TruthReader(net::IoExecutor executor, const std::vector<net::HttpOrigin>& origins, std::string sale,
              Milliseconds timeout);

  /// What is asked from now on is about this sale.
  void about(const std::string& sale) { path_ = "/v1/sales/" + sale; }

  net::Task<TruthResult<SaleSeen>> sale();

  /// All of them, by number, page by page: not one snapshot while the sale goes on.
  net::Task<TruthResult<std::vector<TrueReservation>>> reservations(const CustomerNames* names);

  /// Asks again while another audit runs.
  net::Task<TruthResult<AuditSeen>> audit();

 private:
  net::Task<TruthResult<std::string>> get(std::string target);
  void ask_another();

  net::IoExecutor executor_;
  const std::vector<net::HttpOrigin>& origins_;
  std::size_t origin_ = 0;  // the one that is asked
  net::HttpClient client_;
  std::string path_;
  Milliseconds timeout_;
};

/// Why the sale's sums are wrong, as a sentence; nothing where available + held + sold = stock.
std::optional<std::string> unequal(const SaleSeen& sale);

}  // namespace firstcome::rush
