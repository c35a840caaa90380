// Commands, terms and answers as the scripts of a sale take and give them (sale_decide.lua). Pure: no I/O.
#pragma once

#include "engine/redis/binary.hpp"
#include "net/redis/command.hpp"
#include "sale/record.hpp"

#include <firstcome/command.hpp>

#include <algorithm>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::engine {

/// What of a sale never changes, and how it was created: of `terms`, what a PatchSale may change is as at the creation.
struct KnownSale {
  SaleHandle handle{};
  SaleTerms terms;
};

/// Where a sale's keys are: both in one slot.
struct SaleKeys {
  explicit SaleKeys(SaleHandle handle);
  std::string hash;
  std::string stream;
};

// --- terms ---

/// As the shop gave them, for the key that is compared with a later creation.
std::string pack_terms(const SaleTerms& terms);
/// Nothing: that are no terms.
std::optional<SaleTerms> read_terms(std::string_view text);
/// No customer can have more units than this.
inline constexpr Units most_limit = Units{1} << 47U;
/// A limit as scripts have it.
constexpr Units script_limit(const std::optional<Units>& limit) { return std::min(limit.value_or(0), most_limit); }
/// What scripts need of them, as terms_layout and extend_layout of sale_state.lua have it; when the sale was created is
/// for the script to write.
std::string pack_script_terms(const SaleTerms& terms);

// --- calls ---

/// Whether a command is decided by a sale's script.
bool goes_to_sale(const Command& command);

/// How a Reserve is asked: `remembered` only looks for a reservation that its key made, because this node has refused
/// the key for good.
enum class Asked : std::uint8_t { anew, remembered };

/// Adds a command's letter and arguments. REQUIRES: goes_to_sale.
void add_command(net::RedisCommand& call, const Command& command, Asked asked, Instant claims_before);

struct SaleSummary {
  Units available = 0;
  Units held = 0;
  Units sold = 0;
  Units stock = 0;
  std::uint64_t waiting = 0;
  std::uint64_t serving = 0;
  std::uint64_t last = 0;
  bool closed = false;
  std::optional<Instant> closes_at;
  std::optional<Instant> opens_at;
  Units limit_per_customer = 0;  ///< as scripts have it: 0 is none, more than they can count is `most_limit`
  std::uint32_t max_open = 0;    ///< 0: none
  bool paused = false;
  std::uint64_t revision = 0;
};

/// How far a sale's events are, and how far of them were delivered.
struct SaleOutboxMarks {
  std::uint64_t events = 0;
  std::uint64_t delivered = 0;

  std::uint64_t undelivered() const { return events - std::min(events, delivered); }
};

/// The `outcome` of a ReserveAnswer that is none: the outbox is full, and nothing was decided.
inline constexpr Outcome outbox_is_full{255};

/// What every reply begins with.
struct CallHead {
  Instant now;
  std::uint32_t decided = 0;  ///< commands; those behind are to be asked again
  bool more_due = false;      ///< time has brought more than one call may do
  Incarnation incarnation{};  ///< that holds now
  bool kept = false;          ///< the sale remembers this call
  bool charges = false;       ///< holds wait to be charged
  bool unfinished = false;    ///< charges or refunds are under way
  std::optional<Milliseconds> due_in;
  SaleOutboxMarks outbox;
  SaleSummary sale;
};

/// `ok` of the reader says whether it was whole.
CallHead read_head(BinaryReader& reader);
SaleSummary read_summary(BinaryReader& reader);

/// The answer to a command, as the reply goes on. REQUIRES: goes_to_sale, or a DeleteSale. Nothing: that is no answer.
/// `outcome` sale_not_found of a ReserveAnswer to a `remembered` one: the key made no reservation.
std::optional<Answer> read_answer(BinaryReader& reader, const Command& command, const KnownSale& sale, Instant now);

SaleView view_of(const KnownSale& sale, const SaleSummary& summary, Instant now);

/// A stored reservation.
std::optional<sale::ReservationRecord> read_record(std::string_view text, ReservationRef ref);

// --- pages for those who count again ---

/// Asks for the stored records of [from, upto].
void add_records_request(net::RedisCommand& call, std::uint64_t from, std::uint64_t upto);
/// Asks for the records of which events after `after` tell, from at most so many entries of the outbox.
void add_changes_request(net::RedisCommand& call, std::uint64_t after, std::uint32_t most_entries);

/// The reply to both.
struct CountedPage {
  std::uint64_t events = 0;  ///< the sale's last
  std::uint64_t sold_out_upto = 0;
  std::uint64_t closed_upto = 0;
  std::uint64_t reached = 0;  ///< of changes: the last event that was looked at; 0: what was asked for is not kept
  std::vector<sale::ReservationRecord> records;
};
std::optional<CountedPage> read_page(BinaryReader& reader, SaleHandle handle);

/// Deletes the sale: only where all its events were delivered, or also where they were not.
enum class Erased : std::uint8_t { delivered_only, any };
void add_erase_request(net::RedisCommand& call, Erased which);

/// Asks again for charges of holds that somebody took and never claimed.
void add_forgotten_request(net::RedisCommand& call, std::uint64_t from, std::uint32_t limit, Instant granted_before);

struct Forgotten {
  std::uint64_t next_from = 0;  ///< 0: that was all
  std::vector<PaymentTask> tasks;
};
std::optional<Forgotten> read_forgotten(BinaryReader& reader, const KnownSale& sale);

}  // namespace firstcome::engine
